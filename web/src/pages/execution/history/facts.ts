import { isRecord } from "@/parts/records";
import type { HistoryEvent, HistoryRun, NodeStatus } from "./history";

/** What the payload of an event says of a node run, as far as this page reads it. */
interface RunFacts {
  node: string;
  run_index: number;
  execution_index: number;
}

export type Payload = Record<string, unknown>;

const ENDED: Partial<Record<string, NodeStatus>> = { NodeCompleted: "COMPLETED", NodeFailed: "FAILED" };
const OPEN: Partial<Record<string, NodeStatus>> = {
  NodeScheduled: "SCHEDULED",
  NodeStarted: "RUNNING",
  NodeRetried: "RETRYING",
  ExecutionWaiting: "WAITING",
};

export interface RawEvent {
  revision: number;
  position: string;
  type: string;
  recordedAt: string;
}

function runFacts(payload: Payload): RunFacts | undefined {
  const run = payload.run;
  if (!isRecord(run)) return undefined;
  const { node, run_index, execution_index } = run;
  if (typeof node !== "string" || typeof run_index !== "number" || typeof execution_index !== "number")
    return undefined;
  return { node, run_index, execution_index };
}

/** An event as the history keeps it. */
export function eventOf(raw: RawEvent, payload?: unknown): HistoryEvent {
  const facts = isRecord(payload) ? payload : {};
  const run = runFacts(facts);
  const node = run?.node ?? (typeof facts.node === "string" ? facts.node : undefined);
  return {
    revision: raw.revision,
    position: Number(raw.position),
    type: raw.type,
    at: Date.parse(raw.recordedAt),
    run: run?.execution_index ?? -1,
    node,
  };
}

/** What an event says of the run that it is about; nothing when it is about none. */
export function runOf(raw: RawEvent, payload: unknown): HistoryRun | undefined {
  if (!isRecord(payload)) return undefined;
  const run = runFacts(payload);
  const status = ENDED[raw.type] ?? OPEN[raw.type];
  if (!run || status === undefined) return undefined;
  const number = (value: unknown) => (typeof value === "number" ? value : undefined);
  const durationUs = number(payload.duration_us);
  return {
    executionIndex: run.execution_index,
    node: run.node,
    runIndex: run.run_index,
    startedAt: number(payload.started_at_ms) ?? number(payload.at_ms) ?? Date.parse(raw.recordedAt),
    durationMs: durationUs === undefined ? undefined : durationUs / 1000,
    itemCounts: Array.isArray(payload.outputs)
      ? payload.outputs.map((items: unknown) => (Array.isArray(items) ? items.length : 0))
      : undefined,
    position: Number(raw.position),
    status,
  };
}

/** How many node runs came before the first of this execution. */
export function earlierRunsOf(payload: unknown): number {
  return isRecord(payload) && typeof payload.earlier_runs === "number" ? payload.earlier_runs : 0;
}

/** From which execution it goes on, up to which revision; nothing for one that began by itself. */
export function ancestorOf(type: string, payload: unknown): { id: string; revision: number | undefined } | undefined {
  if (!isRecord(payload)) return undefined;
  if (type === "ExecutionContinued" && typeof payload.previous === "string")
    return { id: payload.previous, revision: undefined };
  if (typeof payload.of !== "string" || typeof payload.revision !== "number") return undefined;
  return { id: payload.of, revision: payload.revision };
}

/** Names of nodes of which a fork changed something. */
export function changedNodes(payload: unknown): { node: string; path: string | undefined; value: unknown }[] {
  const changes = isRecord(payload) && Array.isArray(payload.changes) ? (payload.changes as unknown[]) : [];
  return changes.flatMap((change) =>
    isRecord(change) && typeof change.node === "string"
      ? [{ node: change.node, path: typeof change.path === "string" ? change.path : undefined, value: change.value }]
      : [],
  );
}
