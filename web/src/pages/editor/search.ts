import { type RawSearch, count, oneOf, text } from "@/app/search";

const TABS = ["parameters", "input", "output", "node"] as const;
const VIEWS = ["canvas", "outline", "file"] as const;

export type NodeTab = (typeof TABS)[number];

export interface EditorSearch {
  /** A published version that is looked at in place of the draft. */
  version?: number;
  /** The node that is open, by its name. */
  node?: string;
  tab?: NodeTab;
  /** How the workflow is shown; `file` is for published versions alone. */
  view?: (typeof VIEWS)[number];
  /** The execution whose items and states are shown; the newest where it is absent. */
  run?: string;
}

/** What the address of /workflows/$workflowId says. */
export function search(raw: RawSearch): EditorSearch {
  return {
    version: count(raw.version),
    node: text(raw.node),
    tab: oneOf(TABS, raw.tab),
    view: oneOf(VIEWS, raw.view),
    run: text(raw.run),
  };
}
