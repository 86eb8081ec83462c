import type { AgentRunStatus, ExecutionStatus, InferenceStatus, ModelCallStatus } from "../gql/schema";

export type { ExecutionStatus };
export type AnyStatus = ExecutionStatus | AgentRunStatus | InferenceStatus | ModelCallStatus;

export const EXECUTION_STATUSES = [
  "NEW",
  "RUNNING",
  "WAITING",
  "PAUSED",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
  "CONTINUED",
] as const satisfies readonly ExecutionStatus[];

export type Tone = "neutral" | "good" | "warn" | "bad" | "info" | "accent";

const TONES: Record<AnyStatus, Tone> = {
  NEW: "neutral",
  RUNNING: "info",
  WAITING: "warn",
  PAUSED: "warn",
  COMPLETED: "good",
  FAILED: "bad",
  CANCELLED: "neutral",
  CONTINUED: "neutral",
  WAITING_FOR_APPROVAL: "warn",
  COMPUTING: "info",
  REQUESTED: "neutral",
  REJECTED: "bad",
  REFUSED: "bad",
};

/** How a status looks; one that a newer server has looks plain. */
export function toneOf(status: string): Tone {
  return (TONES as Record<string, Tone | undefined>)[status] ?? "neutral";
}

/** A word of the schema as people read it: `WAITING_FOR_APPROVAL` is "waiting for approval". */
export function wordsOf(name: string): string {
  return name.toLowerCase().replaceAll("_", " ");
}
