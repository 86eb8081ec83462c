import type { DriftBoundsInput } from "@/gql/schema";

/** Bounds as somebody writes them. */
export interface BoundsDraft {
  moderate: string;
  drifted: string;
  chance: string;
}

export type BoundsProblems = Partial<Record<keyof BoundsDraft, string>>;

/** What counts as drift where nothing is said. */
export const USUAL = { moderate: 0.1, drifted: 0.25, p: 0.05 };
/** The largest index that is taken as a bound. */
const PSI_MAX = 100;

/** Bounds as fields show them. */
export function boundsDraft(bounds: { moderate?: number; drifted?: number; p?: number } = {}): BoundsDraft {
  return {
    moderate: String(bounds.moderate ?? USUAL.moderate),
    drifted: String(bounds.drifted ?? USUAL.drifted),
    chance: String(bounds.p ?? USUAL.p),
  };
}

/** What a draft says, or what is wrong with it, by field. */
export function boundsOf(draft: BoundsDraft): { bounds: Required<DriftBoundsInput> } | { problems: BoundsProblems } {
  const moderate = numberOf(draft.moderate);
  const drifted = numberOf(draft.drifted);
  const p = numberOf(draft.chance);
  const problems: BoundsProblems = {};
  if (drifted === undefined || drifted <= 0 || drifted > PSI_MAX) problems.drifted = `Above 0 and at most ${PSI_MAX}.`;
  if (moderate === undefined || moderate <= 0) problems.moderate = "Above 0.";
  else if (drifted !== undefined && moderate > drifted) problems.moderate = "At most that of drift.";
  if (p === undefined || p <= 0 || p > 1) problems.chance = "Above 0 and at most 1.";
  if (Object.keys(problems).length > 0 || moderate === undefined || drifted === undefined || p === undefined)
    return { problems };
  return { bounds: { moderate, drifted, p } };
}

/** A whole number within bounds; nothing where it is none. */
export function wholeOf(text: string, least: number, most: number): number | undefined {
  const number = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

/** A number that is written in digits, with a point or without. */
function numberOf(text: string): number | undefined {
  const plain = text.trim();
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : undefined;
}
