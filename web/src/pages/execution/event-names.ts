import type { IconName, Tone } from "@/ui";
import type { HistoryEvent, NodeStatus } from "./history/history";

/** Kinds by which events are filtered and coloured. */
const TONES: Partial<Record<string, Tone>> = {
  NodeCompleted: "good",
  NodeFailed: "bad",
  NodeRetried: "warn",
  NodeStarted: "info",
  NodeScheduled: "neutral",
  NodeStubbed: "accent",
  NodeSkipped: "neutral",
  ExecutionStarted: "info",
  ExecutionForked: "accent",
  ExecutionRetried: "accent",
  ExecutionContinued: "accent",
  ExecutionContinuedAsNew: "accent",
  ExecutionWaiting: "warn",
  ExecutionResumed: "info",
  ExecutionPaused: "warn",
  ExecutionUnpaused: "info",
  ExecutionCompleted: "good",
  ExecutionFailed: "bad",
  ExecutionCancelled: "bad",
};

export function toneOfEvent(type: string): Tone {
  return TONES[type] ?? "neutral";
}

/** `NodeCompleted` as people read it. */
export function wordsOfEvent(type: string): string {
  return type
    .replace(/^(Node|Execution)/, "")
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
}

export const NODE_TONES: Record<NodeStatus, Tone> = {
  NONE: "neutral",
  SCHEDULED: "neutral",
  RUNNING: "info",
  WAITING: "warn",
  RETRYING: "warn",
  COMPLETED: "good",
  FAILED: "bad",
  SKIPPED: "neutral",
  EARLIER: "accent",
};

export const NODE_WORDS: Record<NodeStatus, string> = {
  NONE: "not reached",
  SCHEDULED: "due",
  RUNNING: "running",
  WAITING: "waiting",
  RETRYING: "tried again soon",
  COMPLETED: "done",
  FAILED: "failed",
  SKIPPED: "skipped",
  EARLIER: "ran before",
};

export const NODE_ICONS: Partial<Record<NodeStatus, IconName>> = {
  COMPLETED: "check",
  FAILED: "close",
  WAITING: "clock",
  RETRYING: "retry",
  RUNNING: "play",
  EARLIER: "fork",
};

/** An event in a few words. */
export function eventText(event: HistoryEvent | undefined): string {
  if (!event) return "not read yet";
  const words = wordsOfEvent(event.type);
  return event.node === undefined ? words : `${event.node} ${words}`;
}

/** The last part of a node's type, as people know it. */
export function typeName(type: string): string {
  const last = type.slice(type.lastIndexOf(".") + 1);
  return last.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
