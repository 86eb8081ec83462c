import type { ModelDriftReportQueryVariables } from "@/gql/graphql";
import type { ModelSearch } from "../search";
import { type BoundsDraft, type BoundsProblems, USUAL, boundsDraft, boundsOf, wholeOf } from "./bounds";
import { type TimesDraft, fieldTime, timesOf, timesProblem } from "./times";

/** How many inferences can be compared with as many before them. */
export const LAST_MIN = 20;
export const LAST_MAX = 1_000;
/** How many where nothing is said. */
export const LAST_USUAL = 500;

const DAY_MS = 86_400_000;

/** A comparison as somebody writes it. */
export interface ComparisonDraft {
  by: "newest" | "times";
  last: string;
  baseline: TimesDraft;
  window: TimesDraft;
  /** Nothing: every version, and whatever it was asked by. */
  version: string;
  alias: string;
  bounds: BoundsDraft;
}

export type ComparisonProblems = BoundsProblems & Partial<Record<"last" | "baseline" | "window", string>>;

type Asked = Pick<
  ModelSearch,
  | "compare"
  | "last"
  | "baselineFrom"
  | "baselineUntil"
  | "windowFrom"
  | "windowUntil"
  | "version"
  | "alias"
  | "moderate"
  | "drifted"
  | "chance"
>;

/** What the fields show at first: what the address says, or the last day with the week before it. `now` in milliseconds. */
export function draftOf(search: Asked, now: number): ComparisonDraft {
  const hasTimes = search.baselineFrom !== undefined || search.windowFrom !== undefined;
  const usual = {
    baseline: { from: fieldTime(now - 8 * DAY_MS), until: fieldTime(now - DAY_MS) },
    window: { from: fieldTime(now - DAY_MS), until: fieldTime(now) },
  };
  const said = {
    baseline: { from: fieldTime(search.baselineFrom), until: fieldTime(search.baselineUntil) },
    window: { from: fieldTime(search.windowFrom), until: fieldTime(search.windowUntil) },
  };
  return {
    by: search.compare ?? "newest",
    last: String(search.last ?? LAST_USUAL),
    ...(hasTimes ? said : usual),
    version: search.version === undefined ? "" : String(search.version),
    alias: search.alias ?? "",
    bounds: boundsDraft({ moderate: search.moderate, drifted: search.drifted, p: search.chance }),
  };
}

/** What the address says of a draft, or what is wrong with it, by field. What is as usual is left out. */
export function askedOf(draft: ComparisonDraft): { asked: Asked } | { problems: ComparisonProblems } {
  const problems: ComparisonProblems = {};
  const last = wholeOf(draft.last, LAST_MIN, LAST_MAX);
  const isByTimes = draft.by === "times";
  if (isByTimes) {
    const [baseline, window] = [timesProblem(draft.baseline), timesProblem(draft.window)];
    if (baseline !== undefined) problems.baseline = baseline;
    if (window !== undefined) problems.window = window;
  } else if (last === undefined) problems.last = `A whole number from ${LAST_MIN} to ${LAST_MAX.toLocaleString("en")}.`;
  const read = boundsOf(draft.bounds);
  if ("problems" in read) return { problems: { ...problems, ...read.problems } };
  if (Object.keys(problems).length > 0) return { problems };
  const { moderate, drifted, p } = read.bounds;
  const unless = (value: number, usual: number) => (value === usual ? undefined : value);
  const [baseline, window] = isByTimes ? [timesOf(draft.baseline), timesOf(draft.window)] : [undefined, undefined];
  return {
    asked: {
      compare: draft.by,
      last: isByTimes || last === LAST_USUAL ? undefined : last,
      baselineFrom: baseline?.from,
      baselineUntil: baseline?.until,
      windowFrom: window?.from,
      windowUntil: window?.until,
      version: draft.version === "" ? undefined : Number(draft.version),
      alias: draft.alias === "" ? undefined : draft.alias,
      moderate: unless(moderate, USUAL.moderate),
      drifted: unless(drifted, USUAL.drifted),
      chance: unless(p, USUAL.p),
    },
  };
}

/** What the server is asked for; nothing where the address asks for no comparison, or for half of one. */
export function variablesOf(name: string, asked: Asked): ModelDriftReportQueryVariables | undefined {
  if (asked.compare === undefined) return undefined;
  const of = {
    name,
    version: asked.version,
    alias: asked.alias,
    bounds: {
      moderate: asked.moderate ?? USUAL.moderate,
      drifted: asked.drifted ?? USUAL.drifted,
      p: asked.chance ?? USUAL.p,
    },
  };
  if (asked.compare === "newest") return { ...of, last: asked.last ?? LAST_USUAL };
  const { baselineFrom, baselineUntil, windowFrom, windowUntil } = asked;
  if (
    baselineFrom === undefined ||
    baselineUntil === undefined ||
    windowFrom === undefined ||
    windowUntil === undefined
  )
    return undefined;
  return {
    ...of,
    baseline: { from: baselineFrom, until: baselineUntil },
    window: { from: windowFrom, until: windowUntil },
  };
}
