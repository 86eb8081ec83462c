import { type RawSearch, count, oneOf, position, text, texts } from "@/app/search";

/** The first two are tabs on narrow windows alone: on wide ones they are always there. The last one is a capsule's. */
export const TABS = ["canvas", "timeline", "events", "items", "state", "changes", "watch", "family", "about"] as const;
export type ExecutionTab = (typeof TABS)[number];

export interface ExecutionSearch {
  /** The event that is looked at; absent = the newest, as it comes. */
  position?: string;
  /** The mark from which changes are told. */
  mark?: string;
  node?: string;
  /** Which run of that node; absent = its newest by then. */
  run?: number;
  tab?: ExecutionTab;
  /** Types of events that are listed. */
  types?: string[];
  /** What is looked for in the events. */
  find?: string;
  /** A value in the state whose origin is told, as a JSON Pointer. */
  value?: string;
  /** An expression that is watched over past executions. */
  watch?: string;
}

/** What the address of /executions/$executionId says. */
export function search(raw: RawSearch): ExecutionSearch {
  return {
    position: position(raw.position),
    mark: position(raw.mark),
    node: text(raw.node),
    run: count(raw.run),
    tab: oneOf(TABS, raw.tab),
    types: texts(raw.types),
    find: text(raw.find),
    value: text(raw.value),
    watch: text(raw.watch),
  };
}
