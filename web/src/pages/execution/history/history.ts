/** An event of an execution, without its payload. */
export interface HistoryEvent {
  /** Its place in the execution, 1 for the first. */
  revision: number;
  position: number;
  type: string;
  /** When it was recorded, in milliseconds. */
  at: number;
  /** Place in the order of execution of the node run that it is about; -1 while it is unknown, or when there is none. */
  run: number;
  /** The node that it is about, where that is known. */
  node?: string;
}

/** What is known of a run of a node, apart from its items. */
export interface HistoryRun {
  executionIndex: number;
  node: string;
  runIndex: number;
  /** In milliseconds. */
  startedAt: number | undefined;
  durationMs: number | undefined;
  itemCounts: readonly number[] | undefined;
  /** Position of the newest event about it that is known. */
  position: number;
  status: NodeStatus;
}

export const NODE_STATUSES = [
  "NONE",
  "SCHEDULED",
  "RUNNING",
  "WAITING",
  "RETRYING",
  "COMPLETED",
  "FAILED",
  "SKIPPED",
  "EARLIER",
] as const;
export type NodeStatus = (typeof NODE_STATUSES)[number];
export const RUN_STATUSES = [
  "NEW",
  "RUNNING",
  "WAITING",
  "PAUSED",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
  "CONTINUED",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** How a node is at a moment. */
export interface NodeAt {
  status: NodeStatus;
  /** Place of its newest run in the order of execution; -1 when it had none. */
  run: number;
  /** How many runs it had begun. */
  runs: number;
  /** Revision of the event that changed it last; 0 when none did. */
  changed: number;
}

/** How everything is right after an event. */
export interface Frame {
  revision: number;
  status: RunStatus;
  node: (name: string) => NodeAt;
}

const AFTER: Partial<Record<string, NodeStatus>> = {
  NodeScheduled: "SCHEDULED",
  NodeStarted: "RUNNING",
  NodeCompleted: "COMPLETED",
  NodeFailed: "FAILED",
  NodeRetried: "RETRYING",
  NodeSkipped: "SKIPPED",
  ExecutionWaiting: "WAITING",
};
const ENDS: Partial<Record<string, RunStatus>> = {
  ExecutionCompleted: "COMPLETED",
  ExecutionFailed: "FAILED",
  ExecutionCancelled: "CANCELLED",
  ExecutionContinuedAsNew: "CONTINUED",
};
const BEGINS = new Set(["ExecutionStarted", "ExecutionForked", "ExecutionRetried", "ExecutionContinued"]);
/** Events that are about a node, and no run of one. */
const NAMES_NODE = new Set(["NodeSkipped", "ExecutionWaiting", "ExecutionResumed", "ExecutionFailed"]);
export const CHECKPOINT_EVERY = 250;
/** Status, waits and pauses of the execution come first, then four numbers of each node. */
const HEAD = 3;
const OF_NODE = 4;

const code = (status: NodeStatus) => NODE_STATUSES.indexOf(status);

/**
 * The events of an execution, and how its nodes were after each. They may come in any order: what is missing is passed over
 * until it is there. A state is folded from the nearest checkpoint, so that any moment costs at most 250 events.
 */
export class History {
  private readonly events: (HistoryEvent | undefined)[] = [];
  private readonly runs = new Map<number, HistoryRun>();
  private readonly runAt = new Map<number, number>();
  private readonly places = new Map<string, number>();
  private readonly nodeIndexes = new Map<string, number>();
  private readonly byPosition = new Map<number, number>();
  private checkpoints: Int32Array[] = [];
  private loaded = 0;
  /** Changes with each thing that came. */
  version = 0;
  /** Node runs of earlier executions, from which this one goes on. */
  earlierRuns = 0;
  private readonly earlier = new Map<string, number>();

  /** Newest revision that is known to be there. */
  get length(): number {
    return this.events.length;
  }

  get loadedCount(): number {
    return this.loaded;
  }

  get isComplete(): boolean {
    return this.loaded === this.events.length;
  }

  event(revision: number): HistoryEvent | undefined {
    return this.events[revision - 1];
  }

  run(executionIndex: number): HistoryRun | undefined {
    return this.runs.get(executionIndex);
  }

  /** The run of a node by its number. */
  runOf(node: string, runIndex: number): HistoryRun | undefined {
    const place = this.places.get(`${runIndex} ${node}`);
    return place === undefined ? undefined : this.runs.get(place);
  }

  allRuns(): Iterable<HistoryRun> {
    return this.runs.values();
  }

  /** Takes in how many events there are. */
  grow(length: number): void {
    if (length <= this.events.length) return;
    this.events.length = length;
    this.version += 1;
  }

  add(event: HistoryEvent): void {
    this.grow(event.revision);
    const had = this.events[event.revision - 1];
    if (had && (had.run >= 0 || event.run < 0) && (had.node !== undefined || event.node === undefined)) return;
    if (!had) this.loaded += 1;
    const run = event.run >= 0 ? event.run : (had?.run ?? this.runAt.get(event.position) ?? -1);
    const node = event.node ?? had?.node ?? this.runs.get(run)?.node;
    this.events[event.revision - 1] = { ...event, run, node };
    this.byPosition.set(event.position, event.revision);
    this.forgetFrom(event.revision);
  }

  addRun(run: HistoryRun): void {
    const had = this.runs.get(run.executionIndex);
    if (had && had.position >= run.position) return;
    this.runs.set(run.executionIndex, run);
    this.places.set(`${run.runIndex} ${run.node}`, run.executionIndex);
    this.runAt.set(run.position, run.executionIndex);
    const revision = this.byPosition.get(run.position);
    const event = revision === undefined ? undefined : this.events[revision - 1];
    if (event?.run === -1) this.add({ ...event, run: run.executionIndex, node: run.node });
    else this.version += 1;
  }

  /** Nodes that had run before this execution began, in those that it goes on from. */
  setEarlier(runs: ReadonlyMap<string, number>): void {
    for (const [node, count] of runs) this.earlier.set(node, count);
    this.version += 1;
  }

  /** Stretches of events that are missing, each with the positions between which they lie. */
  gaps(): { from: number; to: number; after: number; before: number | undefined }[] {
    const gaps = [];
    for (let at = 0; at < this.events.length; at += 1) {
      if (this.events[at]) continue;
      const from = at;
      while (at < this.events.length && !this.events[at]) at += 1;
      gaps.push({
        from: from + 1,
        to: at,
        after: this.events[from - 1]?.position ?? 0,
        before: this.events[at]?.position,
      });
    }
    return gaps;
  }

  /** Revisions of events that are about a node, of which it is not known yet. */
  nameless(): number[] {
    const found = [];
    for (const event of this.events) {
      if (!event) continue;
      const isNameless = hasRun(event.type) ? event.run < 0 : event.node === undefined && NAMES_NODE.has(event.type);
      if (isNameless) found.push(event.revision);
    }
    return found;
  }

  /** The newest event by a position; 0 when none was by then. */
  revisionAt(position: number): number {
    const exact = this.byPosition.get(position);
    if (exact !== undefined) return exact;
    let best = 0;
    for (const event of this.events) if (event && event.position <= position) best = Math.max(best, event.revision);
    return best;
  }

  /** The next event for which something holds, going by `step`; 0 when there is none. */
  next(from: number, step: 1 | -1, holds: (event: HistoryEvent) => boolean): number {
    for (let at = from + step; at >= 1 && at <= this.events.length; at += step) {
      const event = this.events[at - 1];
      if (event && holds(event)) return at;
    }
    return 0;
  }

  /** How everything is right after an event. */
  frame(revision: number): Frame {
    const state = this.fold(revision);
    const statusCode = state[0] ?? 0;
    return {
      revision,
      status: RUN_STATUSES[statusCode] ?? "NEW",
      node: (name) => {
        const index = this.nodeIndexes.get(name);
        const start = index === undefined ? undefined : HEAD + index * OF_NODE;
        const status = start === undefined ? 0 : (state[start] ?? 0);
        const before = this.earlier.get(name) ?? 0;
        if (start === undefined || status === 0)
          return { status: before > 0 ? "EARLIER" : "NONE", run: -1, runs: before, changed: 0 };
        return {
          status: NODE_STATUSES[status] ?? "NONE",
          run: (state[start + 1] ?? 0) - 1,
          runs: Math.max(state[start + 2] ?? 0, before),
          changed: state[start + 3] ?? 0,
        };
      },
    };
  }

  private fold(revision: number): Int32Array {
    const wanted = Math.floor(revision / CHECKPOINT_EVERY);
    while (this.checkpoints.length <= wanted) {
      const last = this.checkpoints.length - 1;
      const start = this.copy(this.checkpoints[last]);
      if (last >= 0) this.applyAll(start, last * CHECKPOINT_EVERY + 1, (last + 1) * CHECKPOINT_EVERY);
      this.checkpoints.push(start);
    }
    const state = this.copy(this.checkpoints[wanted]);
    this.applyAll(state, wanted * CHECKPOINT_EVERY + 1, revision);
    return state;
  }

  private copy(from: Int32Array | undefined): Int32Array {
    const state = new Int32Array(HEAD + this.nodeIndexes.size * OF_NODE);
    if (from) state.set(from.subarray(0, state.length));
    return state;
  }

  private applyAll(state: Int32Array, from: number, to: number): void {
    for (let revision = from; revision <= to; revision += 1) {
      const event = this.events[revision - 1];
      if (event) this.apply(state, event);
    }
  }

  private apply(state: Int32Array, event: HistoryEvent): void {
    const ended = ENDS[event.type];
    if (ended) {
      state[0] = RUN_STATUSES.indexOf(ended);
    } else {
      if (BEGINS.has(event.type)) state[0] = RUN_STATUSES.indexOf("RUNNING");
      if (event.type === "ExecutionWaiting") state[1] = 1;
      else if (event.type === "ExecutionResumed") state[1] = 0;
      else if (event.type === "ExecutionPaused") state[2] = 1;
      else if (event.type === "ExecutionUnpaused") state[2] = 0;
      if ((state[0] ?? 0) > 0 && (state[0] ?? 0) < 4) state[0] = state[2] === 1 ? 3 : state[1] === 1 ? 2 : 1;
    }
    const index = event.node === undefined ? undefined : this.nodeIndexes.get(event.node);
    if (index === undefined) return;
    const start = HEAD + index * OF_NODE;
    const status = AFTER[event.type];
    if (status !== undefined) state[start] = code(status);
    else if (event.type === "ExecutionResumed") state[start] = code("RUNNING");
    else return;
    state[start + 3] = event.revision;
    if (event.run < 0) return;
    const run = this.runs.get(event.run);
    state[start + 1] = event.run + 1;
    state[start + 2] = Math.max(state[start + 2] ?? 0, (run?.runIndex ?? 0) + 1);
  }

  private forgetFrom(revision: number): void {
    const node = this.events[revision - 1]?.node;
    if (node !== undefined && !this.nodeIndexes.has(node)) this.nodeIndexes.set(node, this.nodeIndexes.size);
    // A checkpoint holds what was until its last event: those behind the changed one are folded anew.
    const good = Math.floor((revision - 1) / CHECKPOINT_EVERY) + 1;
    if (this.checkpoints.length > good) this.checkpoints = this.checkpoints.slice(0, good);
    this.version += 1;
  }
}

/** Whether events of a type are about a run of a node. */
export function hasRun(type: string): boolean {
  return type.startsWith("Node") && type !== "NodeSkipped";
}
