import type { StartDriftWatchInput } from "@/gql/schema";
import { type BoundsDraft, type BoundsProblems, boundsDraft, boundsOf, wholeOf } from "./bounds";
import { NO_TIMES, type TimesDraft, fieldTime, timesOf, timesProblem } from "./times";

/** How many inferences make a window, and a baseline. */
export const SAMPLES_MIN = 20;
export const SAMPLES_MAX = 2_000;

/** A watch as somebody writes it. */
export interface WatchDraft {
  by: "newest" | "time";
  newest: string;
  time: TimesDraft;
  window: string;
  /** Nothing: every version, and whatever it was asked by. */
  version: string;
  alias: string;
  bounds: BoundsDraft;
}

export type WatchProblems = BoundsProblems & Partial<Record<"newest" | "time" | "window", string>>;

/** A watch as far as its form shows it. */
export interface WatchSet {
  window?: number | null;
  version?: number | null;
  alias?: string | null;
  baseline?: { newest?: number | null; from?: string | null; until?: string | null } | null;
  bounds?: { moderate: number; drifted: number; p: number } | null;
}

/** What the fields show at first: how it is watched, or was last. */
export function watchDraft(watch: WatchSet | null | undefined): WatchDraft {
  const { newest, from, until } = watch?.baseline ?? {};
  const hasTime = from != null && until != null;
  return {
    by: hasTime ? "time" : "newest",
    newest: String(newest ?? 500),
    time: hasTime ? { from: fieldTime(from), until: fieldTime(until) } : NO_TIMES,
    window: String(watch?.window ?? 200),
    version: watch?.version == null ? "" : String(watch.version),
    alias: watch?.alias ?? "",
    bounds: boundsDraft(watch?.bounds ?? undefined),
  };
}

/** What a draft asks for, or what is wrong with it, by field. */
export function watchOf(
  name: string,
  draft: WatchDraft,
  replace: boolean,
): { input: StartDriftWatchInput } | { problems: WatchProblems } {
  const problems: WatchProblems = {};
  const words = `A whole number from ${SAMPLES_MIN} to ${SAMPLES_MAX.toLocaleString("en")}.`;
  const newest = wholeOf(draft.newest, SAMPLES_MIN, SAMPLES_MAX);
  const window = wholeOf(draft.window, SAMPLES_MIN, SAMPLES_MAX);
  const isByTime = draft.by === "time";
  const time = isByTime ? timesProblem(draft.time) : undefined;
  if (time !== undefined) problems.time = time;
  if (!isByTime && newest === undefined) problems.newest = words;
  if (window === undefined) problems.window = words;
  const read = boundsOf(draft.bounds);
  if ("problems" in read) return { problems: { ...problems, ...read.problems } };
  if (Object.keys(problems).length > 0 || window === undefined) return { problems };
  return {
    input: {
      name,
      window,
      version: draft.version === "" ? undefined : Number(draft.version),
      alias: draft.alias === "" ? undefined : draft.alias,
      ...(isByTime ? { baseline: timesOf(draft.time) } : { baselineNewest: newest }),
      bounds: read.bounds,
      replace,
    },
  };
}
