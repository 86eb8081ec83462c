import { isRecord } from "@/parts/records";

export type NodeStatus = "SCHEDULED" | "RUNNING" | "RETRYING" | "WAITING" | "COMPLETED" | "FAILED";

/** A run of a node, as the API tells it. */
export interface NodeRunFact {
  id: string;
  node: string;
  runIndex: number;
  status: NodeStatus;
  itemCounts?: readonly number[] | null;
  pinned: boolean;
  durationMs?: number | null;
  errorMessage?: string | null;
  sources?: unknown;
}

/** How a node stands in a run: its newest run, and how many there were. */
export interface NodeState {
  status: NodeStatus;
  runs: number;
  /** How many items it gave, by output. */
  itemCounts: readonly number[];
  pinned: boolean;
  error: string | undefined;
}

export type NodeStates = ReadonlyMap<string, NodeState>;

/** How all nodes stand after these runs. */
export function statesOf(runs: readonly NodeRunFact[]): NodeStates {
  const states = new Map<string, NodeState>();
  for (const run of runs) {
    const before = states.get(run.node);
    states.set(run.node, {
      status: run.status,
      runs: Math.max(before?.runs ?? 0, run.runIndex + 1),
      itemCounts: run.itemCounts ?? [],
      pinned: run.pinned,
      error: run.errorMessage ?? undefined,
    });
  }
  return states;
}

const STATUS: Readonly<Record<string, NodeStatus>> = {
  NodeScheduled: "SCHEDULED",
  NodeStarted: "RUNNING",
  NodeCompleted: "COMPLETED",
  NodeStubbed: "COMPLETED",
  NodeFailed: "FAILED",
  NodeRetried: "RETRYING",
};

/** How they stand after one more event; it comes before the read models tell the same. */
export function afterEvent(states: NodeStates, type: string, payload: unknown): NodeStates {
  const status = STATUS[type];
  const run = isRecord(payload) ? payload.run : undefined;
  if (status === undefined || !isRecord(run) || typeof run.node !== "string") return states;
  const before = states.get(run.node);
  const index = typeof run.run_index === "number" ? run.run_index : 0;
  const outputs = isRecord(payload) && Array.isArray(payload.outputs) ? (payload.outputs as unknown[]) : undefined;
  return new Map(states).set(run.node, {
    status,
    runs: Math.max(before?.runs ?? 0, index + 1),
    itemCounts: outputs?.map((items) => (Array.isArray(items) ? items.length : 0)) ?? before?.itemCounts ?? [],
    pinned: isRecord(payload) && payload.pinned === true,
    error: undefined,
  });
}

/** How a node stands, in words. */
export function stateInWords(state: NodeState | undefined): string {
  if (!state) return "";
  const items = state.itemCounts.reduce((sum, count) => sum + count, 0);
  const words: Record<NodeStatus, string> = {
    SCHEDULED: "is due",
    RUNNING: "runs",
    RETRYING: "is tried again",
    WAITING: "waits",
    COMPLETED: `gave ${items} ${items === 1 ? "item" : "items"}${state.pinned ? ", pinned" : ""}`,
    FAILED: `failed${state.error === undefined ? "" : `: ${state.error}`}`,
  };
  return words[state.status];
}
