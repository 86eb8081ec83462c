import { type RawSearch, count, moment, oneOf, text } from "@/app/search";

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const id = (value: unknown) => {
  const found = text(value);
  return found !== undefined && UUID.test(found) ? found.toLowerCase() : undefined;
};

export interface EvaluationSetsSearch {
  /** As of when: a position, or a time; absent is now. */
  at?: string;
  open?: "new";
  /** Of a new set: the workflow of whose executions, or the model of whose inferences, its cases are. */
  workflow?: string;
  model?: string;
}

/** What the address of /evaluation-sets says. */
export function search(raw: RawSearch): EvaluationSetsSearch {
  return { at: moment(raw.at), open: oneOf(["new"], raw.open), workflow: id(raw.workflow), model: text(raw.model) };
}

export const SET_TABS = ["cases", "evaluations", "scores"] as const;
/** A dialog that an address can open. */
export const SET_DIALOGS = ["add", "run"] as const;

export interface EvaluationSetSearch {
  tab?: (typeof SET_TABS)[number];
  /** Whose cases, or scores, are shown; absent is the newest. */
  version?: number;
  /** Of the cases: only those with this in them. */
  find?: string;
  /** The case that is looked at. */
  case?: string;
  at?: string;
  open?: (typeof SET_DIALOGS)[number];
}

/** What the address of /evaluation-sets/$setName says. */
export function setSearch(raw: RawSearch): EvaluationSetSearch {
  return {
    tab: oneOf(SET_TABS, raw.tab),
    version: count(raw.version),
    find: text(raw.find)?.slice(0, 200),
    case: text(raw.case)?.slice(0, 100),
    at: moment(raw.at),
    open: oneOf(SET_DIALOGS, raw.open),
  };
}

export type EvaluationSearch = Record<string, never>;

/** What the address of /evaluations/$evaluationId says: nothing yet. */
export function evaluationSearch(): EvaluationSearch {
  return {};
}

export interface ComparisonSearch {
  /** The two evaluations. */
  before?: string;
  after?: string;
  /** By which scorer cases are shown; absent is the first. */
  scorer?: string;
}

/** What the address of /evaluations/compare says. */
export function comparisonSearch(raw: RawSearch): ComparisonSearch {
  return { before: id(raw.before), after: id(raw.after), scorer: text(raw.scorer)?.slice(0, 100) };
}

/** How a set's name is written in an address: names may have `/` in them, which parts addresses, but no `~`. */
export function addressOfName({ setName }: { setName: string }): { setName: string } {
  return { setName: setName.replaceAll("/", "~") };
}

/** The name that an address means. */
export function nameInAddress({ setName }: { setName: string }): { setName: string } {
  return { setName: setName.replaceAll("~", "/") };
}
