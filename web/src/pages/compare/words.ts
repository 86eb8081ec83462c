import type { Tone } from "@/ui";
import type { ComparisonOutcome, DivergenceReason } from "@/gql/schema";

export const OUTCOMES: Record<ComparisonOutcome, [words: string, tone: Tone]> = {
  SAME: ["same", "neutral"],
  CHANGED: ["other", "warn"],
  ONLY_LEFT: ["only left", "info"],
  ONLY_RIGHT: ["only right", "accent"],
};

/** Because of what a step is not the same. */
export const REASONS: Record<DivergenceReason, string> = {
  GIVEN_ITEMS: "the executions were given other items at the start",
  NODE: "the node is written down otherwise",
  NOT_REACHED: "one of them did not come so far",
  OUTPUT:
    "from the same input the node gave something else: the outside world, chance, time, variables, or a changed output",
  WAY: "the way to the node is another",
};

/** `Fetch`, or `Fetch run 3`. */
export function stepName(step: { node: string; runIndex: number }): string {
  return step.runIndex === 0 ? step.node : `${step.node} run ${step.runIndex + 1}`;
}
