import { createContext, use } from "react";
import type { ExecutionEventQuery, ExecutionOriginQuery } from "@/gql/graphql";
import type { AttachmentsOf } from "@/parts/items/Attachments";
import type { Change } from "@/ui/DiffView";
import type { Question } from "./exact";
import type { RunPlace } from "./panels/locate";

export type EventTold = ExecutionEventQuery["events"]["nodes"][number];
export type OriginTold = NonNullable<ExecutionOriginQuery["stateAt"]>["provenance"];

export interface ChangeTold extends Change {
  writtenBy: { revision: number; type: string } | null;
}

export interface StateTold {
  /** As JSON; absent where there is none. */
  value: unknown;
  unknownEventCount: number;
}

/** What was found of a text in the payloads of an execution. */
export interface FoundTold {
  hits: readonly { position: string; excerpt: string }[];
  /** Where the search goes on; absent when everything was looked at. */
  next: string | undefined;
}

/**
 * Where an execution is read: on a server, or out of a file. All of it is as of a revision, so that each question has one answer
 * for ever.
 */
export interface Source {
  /** Other executions and places in the log can be gone to. */
  hasLog: boolean;
  /** The workflow's definition as it was run. */
  definition: () => Question<unknown>;
  event: (position: number) => Question<EventTold | undefined>;
  state: (revision: number) => Question<StateTold>;
  /** The state without what node runs have, which may be much. */
  ownState: (revision: number) => Question<StateTold>;
  /** What is in the state at a place; undefined where nothing is. */
  part: (place: RunPlace) => Question<unknown>;
  changes: (from: number, to: number) => Question<readonly ChangeTold[]>;
  /** From where a value comes; absent where that is not known. */
  origin?: (revision: number, path: string) => Question<OriginTold | undefined>;
  /** Where a run is that happened in an execution from which this one goes on. */
  locate: (node: string, runIndex: number) => Promise<RunPlace | undefined>;
  /** Looks for a text in payloads, from where an earlier search ended. */
  search: (text: string, after: string | undefined) => Question<FoundTold>;
  /** Files of items that are not on the server. */
  fileOf?: AttachmentsOf["fileOf"];
}

export const SourceContext = createContext<Source | undefined>(undefined);

export function useSource(): Source {
  const source = use(SourceContext);
  if (!source) throw new Error("nothing says where the execution is read");
  return source;
}
