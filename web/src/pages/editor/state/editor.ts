import { createContext, use } from "react";
import type { Catalogue } from "../catalogue";
import type { NodeRunFact } from "../run/states";
import type { NodeTab } from "../search";
import type { Commands, Place } from "./commands";
import { type Draft, useDraft } from "./draft";

/** The run whose items are shown beside the draft. */
export interface ShownRun {
  id: string;
  status: string;
  runs: readonly NodeRunFact[];
}

/** What all parts of the editor share. It stays the same while the draft changes: `useDraft` tells of that. */
export interface Editor {
  draft: Draft;
  commands: Commands;
  catalogue: Catalogue;
  /** Absent until a new workflow was saved. */
  workflowId: string | undefined;
  /** It is only looked at: nothing that would change it is offered. */
  isReadOnly: boolean;
  run: ShownRun | undefined;
  say: (text: string) => void;
  openNode: (name: string | undefined, tab?: NodeTab) => void;
  openPalette: (place: Place) => void;
  openConnect: (source: string, output: number) => void;
  openRename: (name: string) => void;
}

export const EditorContext = createContext<Editor | undefined>(undefined);

export function useEditor(): Editor {
  const editor = use(EditorContext);
  if (!editor) throw new Error("a part of the editor is shown outside of it");
  return editor;
}

/** The draft as it is now. */
export function useDraftState() {
  return useDraft(useEditor().draft);
}
