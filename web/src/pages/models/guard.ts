import type { ModelRolloutGuardInput, ModelRolloutMetric } from "@/gql/schema";

interface Metric {
  label: string;
  /** What is counted of the tried version. */
  counts: string;
  /** In what the bound is given. */
  unit: "%" | "ms";
}

/** What a guard measures of the tried version. */
export const METRICS: Record<ModelRolloutMetric, Metric> = {
  ERROR_RATE: { label: "error rate", counts: "its inferences that failed or were not begun", unit: "%" },
  LATENCY_P95: {
    label: "latency (95 of 100)",
    counts: "the time within which it answers 95 of 100, waiting included",
    unit: "ms",
  },
  DISAGREEMENT: {
    label: "disagreement",
    counts: "its answers to copies that are others than those of the version that answers",
    unit: "%",
  },
};

/** Longest latency that a guard takes as bound. */
const LATENCY_MS_MAX = 600_000;
/** Most inferences after which a guard begins to judge. */
const FEWEST_MAX = 1_000_000;

/** A guard as somebody writes it. */
export interface GuardDraft {
  metric: ModelRolloutMetric;
  bound: string;
  fewest: string;
  /** Of disagreement: how far numbers may be apart; nothing compares classes. */
  tolerance: string;
}

export const FIRST_DRAFT: GuardDraft = { metric: "ERROR_RATE", bound: "", fewest: "100", tolerance: "" };

export type GuardProblems = Partial<Record<"bound" | "fewest" | "tolerance", string>>;

/** What a draft says, or what is wrong with it, by field. */
export function guardOf(draft: GuardDraft): { guard: ModelRolloutGuardInput } | { problems: GuardProblems } {
  const { metric } = draft;
  const [bound, fewest, tolerance] = [draft.bound, draft.fewest, draft.tolerance].map(numberOf);
  const problems: GuardProblems = {};
  if (METRICS[metric].unit === "%") {
    if (bound === undefined || bound <= 0 || bound >= 100) problems.bound = "More than 0 and less than 100.";
  } else if (bound === undefined || bound <= 0 || bound > LATENCY_MS_MAX)
    problems.bound = `More than 0 and at most ${LATENCY_MS_MAX.toLocaleString("en")}.`;
  if (fewest === undefined || !Number.isInteger(fewest) || fewest < 1 || fewest > FEWEST_MAX)
    problems.fewest = `A whole number from 1 to ${FEWEST_MAX.toLocaleString("en")}.`;
  const isComparing = metric === "DISAGREEMENT" && draft.tolerance.trim() !== "";
  if (isComparing && (tolerance === undefined || tolerance > 1)) problems.tolerance = "From 0 to 1, or nothing.";
  if (Object.keys(problems).length > 0 || bound === undefined || fewest === undefined) return { problems };
  const most = METRICS[metric].unit === "%" ? bound / 100 : bound;
  return { guard: { metric, bound: most, fewest, ...(isComparing && { tolerance }) } };
}

/** A number that is written in digits, with a point or without. */
function numberOf(text: string): number | undefined {
  const plain = text.trim();
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : undefined;
}
