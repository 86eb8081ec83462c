import { type Fault, client, faultOf } from "@/api";
import { ExecutionEvents, ExecutionRuns } from "../documents";
import { type RawEvent, eventOf, runOf } from "./facts";
import { type History, type NodeStatus, hasRun } from "./history";

const PAGE = 100;
/** Stretches that are asked for at once, as the documents have them. */
const BATCH = 5;
const AT_ONCE = 3;
const ROUNDS_WITHOUT_PROGRESS = 2;
/** Events whose payloads are small, and say what the list of node runs does not. */
const SMALL = [
  "NodeScheduled",
  "NodeStarted",
  "NodeRetried",
  "NodeStubbed",
  "NodeSkipped",
  "ExecutionWaiting",
  "ExecutionResumed",
  "ExecutionFailed",
];
const WITH_RUNS = ["NodeCompleted", "NodeFailed", ...SMALL];

export interface BriefRun {
  node: string;
  runIndex: number;
  executionIndex: number;
  status: string;
  position: string;
  startedAt?: string | null;
  durationMs?: number | null;
  itemCounts?: number[] | null;
}

/** Puts node runs as the API lists them into a history. */
export function takeRuns(history: History, runs: readonly BriefRun[]): void {
  for (const run of runs)
    history.addRun({
      executionIndex: run.executionIndex,
      node: run.node,
      runIndex: run.runIndex,
      startedAt: run.startedAt ? Date.parse(run.startedAt) : undefined,
      durationMs: run.durationMs ?? undefined,
      itemCounts: run.itemCounts ?? undefined,
      position: Number(run.position),
      status: run.status as NodeStatus,
    });
}

interface Window {
  from: number;
  first: number;
}

/** Reads the events of an execution into a history: first what is near to where somebody looks, the rest behind it. */
export class Loader {
  private isStopped = false;
  /** Revision near which is read first. */
  private near = Number.POSITIVE_INFINITY;

  constructor(
    private readonly id: string,
    private readonly history: History,
    private readonly changed: () => void,
    private readonly failed: (fault: Fault) => void,
  ) {}

  stop(): void {
    this.isStopped = true;
  }

  lookAt(revision: number): void {
    this.near = revision;
  }

  /** Reads until nothing is missing. `position` is where somebody looks. */
  async run(position: number | undefined): Promise<void> {
    if (position !== undefined && this.history.revisionAt(position) === 0) await this.around(position);
    // What came with the opening came without payloads.
    const [first] = this.history.nameless();
    if (first !== undefined)
      await this.read([{ from: (this.history.event(first)?.position ?? 1) - 1, first: PAGE }], SMALL);
    let idle = 0;
    while (!this.isStopped && idle < ROUNDS_WITHOUT_PROGRESS) {
      const windows = this.plan();
      if (windows.length === 0) break;
      const before = this.history.loadedCount;
      await this.all(batches(windows), (batch) => this.read(batch, SMALL));
      idle = this.history.loadedCount === before ? idle + 1 : 0;
    }
    await this.name();
  }

  private async around(position: number): Promise<void> {
    const windows = [{ from: position - 1, first: PAGE }];
    if (position > PAGE) windows.unshift({ from: position - PAGE / 2 - 1, first: PAGE / 2 });
    await this.read(windows, SMALL);
  }

  /** Stretches to read: the gaps, cut into pages as if events lay evenly in the log. */
  private plan(): Window[] {
    const windows = this.history.gaps().flatMap((gap) => {
      const count = gap.to - gap.from + 1;
      const pages = Math.ceil(count / PAGE);
      const span = ((gap.before ?? gap.after + count) - gap.after) / pages;
      return Array.from({ length: pages }, (_, page) => ({
        from: Math.floor(gap.after + page * span),
        first: Math.min(PAGE, count),
        near: gap.from + page * PAGE,
      }));
    });
    return windows.sort((one, other) => Math.abs(one.near - this.near) - Math.abs(other.near - this.near));
  }

  private async read(windows: readonly Window[], small: string[]): Promise<void> {
    const at = (place: number) => windows[place] ?? { from: 0, first: 0 };
    const stream = { category: "execution", id: this.id };
    const variables = {
      stream,
      small,
      from0: String(Math.max(0, at(0).from)),
      from1: String(Math.max(0, at(1).from)),
      from2: String(Math.max(0, at(2).from)),
      from3: String(Math.max(0, at(3).from)),
      from4: String(Math.max(0, at(4).from)),
      first0: at(0).first,
      first1: at(1).first,
      first2: at(2).first,
      first3: at(3).first,
      first4: at(4).first,
    };
    const { data, error } = await client
      .query(ExecutionEvents, variables, { requestPolicy: "network-only" })
      .toPromise();
    if (this.isStopped) return;
    if (!data) {
      if (error) this.failed(faultOf(error));
      this.isStopped = true;
      return;
    }
    for (const { nodes } of [data.small0, data.small1, data.small2, data.small3, data.small4])
      for (const event of nodes) this.take(event, event.payload);
    const pages = [data.events0, data.events1, data.events2, data.events3, data.events4].map(({ nodes }) => nodes);
    for (const event of pages.flat()) this.take(event);
    this.changed();
    const ends = pages.map((page) => page.at(-1)?.position).filter((end) => end !== undefined);
    if (ends.length > 0) await this.readRuns([...new Set(ends)]);
  }

  private async readRuns(ends: readonly string[]): Promise<void> {
    const at = (place: number) => ends[place] ?? ends[0] ?? "0";
    const last = (place: number) => (place < ends.length ? PAGE : 0);
    const variables = {
      id: this.id,
      at0: at(0),
      at1: at(1),
      at2: at(2),
      at3: at(3),
      at4: at(4),
      last0: last(0),
      last1: last(1),
      last2: last(2),
      last3: last(3),
      last4: last(4),
    };
    const { data } = await client.query(ExecutionRuns, variables, { requestPolicy: "network-only" }).toPromise();
    if (!data || this.isStopped) return;
    for (const execution of [data.runs0, data.runs1, data.runs2, data.runs3, data.runs4])
      if (execution) takeRuns(this.history, execution.nodeRuns.nodes);
    this.changed();
  }

  /** Reads the payloads of events whose node run no list told. */
  private async name(): Promise<void> {
    const nameless = this.history.nameless();
    const windows = nameless.map((revision) => ({
      from: (this.history.event(revision)?.position ?? 1) - 1,
      first: 1,
    }));
    await this.all(batches(windows), (batch) => this.read(batch, WITH_RUNS));
  }

  private take(raw: RawEvent, payload?: unknown): void {
    this.history.add(eventOf(raw, payload));
    const run = hasRun(raw.type) || raw.type === "ExecutionWaiting" ? runOf(raw, payload) : undefined;
    if (run) this.history.addRun(run);
  }

  private async all<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = [...list];
    const worker = async () => {
      for (let item = queue.shift(); item !== undefined && !this.isStopped; item = queue.shift()) await work(item);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
}

function batches<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / BATCH) }, (_, place) =>
    list.slice(place * BATCH, (place + 1) * BATCH),
  );
}
