/**
 * The state of an execution right after an event, folded from its events as the server folds it: the same fields, as JSON. What an
 * event of an unknown type or a newer shape says is left out, and counted.
 */

import { isRecord } from "@/parts/records";

type Json = Record<string, unknown>;

export interface RunState extends Json {
  node: string;
  status: string;
}

export interface ExecutionState extends Json {
  status: string;
  node_runs: RunState[];
}

export interface Folded {
  state: ExecutionState;
  unknownEventCount: number;
}

/** An event as far as it is folded. */
export interface FoldedEvent {
  type: string;
  /** Version of the payload's shape. */
  version: number;
  payload: unknown;
}

/** The newest shape of each type that is read here; older ones lack fields that are optional. */
const KNOWN: Partial<Record<string, number>> = {
  ExecutionStarted: 3,
  NodeScheduled: 1,
  NodeStarted: 1,
  NodeCompleted: 1,
  NodeFailed: 1,
  NodeRetried: 1,
  NodeStubbed: 1,
  NodeSkipped: 1,
  ExecutionWaiting: 3,
  ExecutionResumed: 2,
  ExecutionPaused: 1,
  ExecutionUnpaused: 1,
  ExecutionBreakpointsChanged: 1,
  ExecutionTakenOver: 1,
  ExecutionResponded: 2,
  ExecutionDataSaved: 1,
  ExecutionRetried: 2,
  ExecutionForked: 2,
  ExecutionRetriedAs: 1,
  ExecutionDismissed: 1,
  ExecutionCancelled: 1,
  ExecutionCompleted: 1,
  ExecutionFailed: 1,
  ExecutionContinuedAsNew: 1,
  ExecutionContinued: 4,
};
const ENDED = new Set(["completed", "failed", "cancelled", "continued"]);

/** Whether an event is of a type and a shape that is read here. */
export function isKnown({ type, version }: Pick<FoldedEvent, "type" | "version">): boolean {
  return version <= (KNOWN[type] ?? 0);
}

/** The fields of an object, those apart that only say what it is; of another value none. */
function fieldsOf(value: unknown): Json {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== "type" && name !== "$erased"));
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const orNull = (value: unknown): unknown => value ?? null;

/** Folds one event after the other. A run that changes becomes another object; the list of them stays the same one. */
export class Fold {
  private runs: RunState[] = [];
  private fields: Json = {};
  private status = "new";
  private earlierRuns = 0;
  private waiting: Json | undefined;
  private paused: unknown;
  private unknown = 0;

  get runCount(): number {
    return this.runs.length;
  }

  run(place: number): RunState | undefined {
    return this.runs[place];
  }

  /** The state by now. What is changed later does not change it. */
  state(): Folded {
    const { start, error, failed_node, ended_at_ms, ...optional } = this.fields;
    const state: Json = {
      start: orNull(start),
      status: this.status,
      ...(this.earlierRuns > 0 ? { earlier_runs: this.earlierRuns } : {}),
      node_runs: [...this.runs],
      error: orNull(error),
      failed_node: orNull(failed_node),
      ...(this.waiting ? { waiting: this.waiting } : {}),
      ...(this.paused !== undefined ? { paused: this.paused } : {}),
      ...optional,
      ended_at_ms: orNull(ended_at_ms),
    };
    return { state: state as ExecutionState, unknownEventCount: this.unknown };
  }

  apply(event: FoldedEvent): void {
    if (!isKnown(event)) {
      this.unknown += 1;
      return;
    }
    const said = fieldsOf(event.payload);
    if (event.type.startsWith("Node")) this.applyRun(event.type, said);
    else if (!this.applyBeginning(event.type, said) && !this.applyEnd(event.type, said))
      this.applyRest(event.type, said);
  }

  private applyBeginning(type: string, said: Json): boolean {
    const start = type === "ExecutionStarted" ? said : fieldsOf(said.start);
    switch (type) {
      case "ExecutionStarted":
      case "ExecutionRetried":
        break;
      case "ExecutionForked": {
        const { origin, of, revision, position, reason } = said;
        this.fields.forked_from = { origin, of, revision, position, reason };
        break;
      }
      case "ExecutionContinued": {
        const { previous, root, link } = said;
        this.fields.continued_from = { previous, root, link };
        break;
      }
      default:
        return false;
    }
    this.fields.start = start;
    this.earlierRuns = typeof said.earlier_runs === "number" ? said.earlier_runs : 0;
    this.status = "running";
    this.setBreakpoints(fieldsOf(start.options).breakpoints);
    return true;
  }

  private applyEnd(type: string, said: Json): boolean {
    switch (type) {
      case "ExecutionCompleted":
        this.end("completed", said.at_ms);
        return true;
      case "ExecutionCancelled":
        this.end("cancelled", null);
        return true;
      case "ExecutionFailed":
        this.fields.failed_node = said.node;
        this.fields.error = said.error;
        this.end("failed", said.at_ms);
        return true;
      case "ExecutionContinuedAsNew":
        this.fields.continued_as = said.next;
        this.end("continued", said.at_ms);
        return true;
      default:
        return false;
    }
  }

  private applyRun(type: string, said: Json): void {
    const { at_ms, started_at_ms, duration_us, attempt, error } = said;
    switch (type) {
      case "NodeScheduled":
        this.change(said.run, (run) => run);
        break;
      case "NodeStubbed":
        this.change(said.run, (run) => ({ ...run, stubbed: true }));
        break;
      case "NodeStarted":
        this.change(said.run, (run) => ({
          ...run,
          status: "running",
          attempts: attempt,
          started_at_ms: run.started_at_ms ?? at_ms,
        }));
        break;
      case "NodeCompleted":
        this.change(said.run, (run) => ({
          ...run,
          ...countsLast(run),
          status: "completed",
          started_at_ms: run.started_at_ms ?? started_at_ms,
          duration_us,
          outputs: said.outputs,
          memory: orNull(said.memory),
          error: null,
          pinned: said.pinned === true,
        }));
        break;
      case "NodeFailed":
        this.change(said.run, (run) => ({
          ...run,
          ...countsLast(run),
          status: "failed",
          started_at_ms: run.started_at_ms ?? started_at_ms,
          duration_us,
          outputs: orNull(said.outputs),
          error,
        }));
        break;
      case "NodeRetried":
        this.change(said.run, (run) => ({ ...run, status: "retrying", attempts: attempt, error }));
        break;
    }
  }

  /** What is said about how it is run: waits, pauses, answers and notes. */
  private applyRest(type: string, said: Json): void {
    const { fields } = this;
    switch (type) {
      case "ExecutionWaiting": {
        if (isRecord(said.run)) this.change(said.run, (run) => ({ ...run, status: "waiting" }));
        const { node, until_ms, resume } = said;
        const given = Object.entries({ node, until_ms, resume }).filter(
          ([, value]) => value !== undefined && value !== null,
        );
        this.changeOpen(() => (this.waiting = Object.fromEntries(given)));
        break;
      }
      case "ExecutionResumed":
        this.changeOpen(() => (this.waiting = undefined));
        break;
      case "ExecutionPaused":
        this.changeOpen(() => (this.paused = said.reason));
        break;
      case "ExecutionUnpaused":
        this.changeOpen(() => (this.paused = undefined));
        break;
      case "ExecutionBreakpointsChanged":
        this.setBreakpoints(said.breakpoints);
        break;
      case "ExecutionTakenOver":
        fields.worker = said.worker;
        break;
      case "ExecutionResponded":
        fields.response = said.response;
        break;
      case "ExecutionDataSaved": {
        const data = { ...fieldsOf(fields.data), ...fieldsOf(said.data) };
        if (Object.keys(data).length > 0) fields.data = data;
        break;
      }
      case "ExecutionRetriedAs":
        fields.retried_as = [...list(fields.retried_as), said.execution];
        break;
      case "ExecutionDismissed":
        fields.dismissed = said.reason;
        break;
    }
  }

  private setBreakpoints(breakpoints: unknown): void {
    const given = list(breakpoints);
    if (given.length > 0) this.fields.breakpoints = given;
    else delete this.fields.breakpoints;
  }

  private change(facts: unknown, change: (run: RunState) => RunState): void {
    const { node, run_index, execution_index, sources } = fieldsOf(facts);
    const place = Math.max(0, (typeof execution_index === "number" ? execution_index : 0) - this.earlierRuns);
    if (place >= this.runs.length)
      this.runs.push({
        node: typeof node === "string" ? node : "",
        run_index,
        sources,
        status: "scheduled",
        attempts: 0,
        started_at_ms: null,
        duration_us: null,
        outputs: null,
        memory: null,
        error: null,
        pinned: false,
      });
    const at = Math.min(place, this.runs.length - 1);
    const run = this.runs[at];
    if (run) this.runs[at] = change(run);
  }

  private end(status: string, atMs: unknown): void {
    this.status = status;
    this.waiting = undefined;
    this.paused = undefined;
    this.fields.ended_at_ms = atMs;
  }

  /** What has ended stays so. */
  private changeOpen(change: () => void): void {
    if (ENDED.has(this.status)) return;
    change();
    this.status = this.paused !== undefined ? "paused" : this.waiting ? "waiting" : "running";
  }
}

/** Pure nodes record no start of an attempt, so that the end of one after a retry is one more. */
function countsLast(run: RunState): { attempts: number } {
  const attempts = typeof run.attempts === "number" ? run.attempts : 0;
  return { attempts: Math.max(1, attempts + (run.status === "retrying" ? 1 : 0)) };
}
