/** The events of one execution in a capsule, and its states. */

import { ancestorOf, earlierRunsOf, eventOf, runOf } from "../history/facts";
import { History, hasRun } from "../history/history";
import { type ChangeTold } from "../source";
import { type StateChange, changesBetween } from "./changes";
import { Fold, type Folded } from "./fold";
import type { Line } from "./line";
import { type Capsule, payloadText } from "./read";
import { Refusal } from "./refusal";
import { withoutSealed } from "./sealed";

/** Which event wrote something is looked for among so many. */
const LOOKED_BACK_MAX = 10_000;

export interface PastEvent {
  line: Line;
  type: string;
  version: number;
  /** With what stands for what is sealed. */
  payload: unknown;
  /** Fields that are sealed. */
  sealed: string[] | undefined;
}

export class Past {
  private fold = new Fold();
  private folded = 0;

  constructor(
    readonly id: string,
    readonly events: readonly PastEvent[],
  ) {}

  /** The events of an execution, as they are in a capsule. */
  static of(capsule: Capsule, id: string): Past {
    const own = capsule.lines.filter(({ record }) => record.category === "execution" && record.stream === id);
    return new Past(
      id,
      own.map((line) => eventIn(line, capsule.blobs)),
    );
  }

  get beginning(): { type: string; payload: unknown } | undefined {
    const [first] = this.events;
    return first && { type: first.type, payload: first.payload };
  }

  /** From which execution it goes on, up to which revision; undefined when it began by itself. */
  get ancestor() {
    return this.beginning && ancestorOf(this.beginning.type, this.beginning.payload);
  }

  /** The state right after an event. */
  state(revision: number): Folded {
    const wanted = Math.min(revision, this.events.length);
    if (wanted < this.folded) [this.fold, this.folded] = [new Fold(), 0];
    for (; this.folded < wanted; this.folded += 1) {
      const event = this.events[this.folded];
      if (event) this.fold.apply(event);
    }
    return this.fold.state();
  }

  /** What differs between two moments, and the events that wrote what is there at the later one. */
  changes(from: number, to: number): ChangeTold[] {
    const [earlier, later] = from <= to ? [from, to] : [to, from];
    const writers = this.writers(Math.max(earlier, later - LOOKED_BACK_MAX), later);
    const changes = changesBetween(this.state(from).state, this.state(to).state);
    return changes.map((change) => ({ ...change, writtenBy: this.told(writerOf(change, writers)) }));
  }

  history(): History {
    const history = new History();
    history.grow(this.events.length);
    history.earlierRuns = earlierRunsOf(this.beginning?.payload);
    for (const { line, type, payload } of this.events) {
      const { position, revision, recordedAtUs } = line.record;
      const raw = { type, position, revision: Number(revision), recordedAt: timeOf(recordedAtUs) };
      history.add(eventOf(raw, payload));
      const run = hasRun(type) || type === "ExecutionWaiting" ? runOf(raw, payload) : undefined;
      if (run) history.addRun(run);
    }
    return history;
  }

  private told(revision: number | undefined): ChangeTold["writtenBy"] {
    const event = revision === undefined ? undefined : this.events[revision - 1];
    return event && revision !== undefined ? { revision, type: event.type } : null;
  }

  /** Which event wrote each field of the state and of its node runs last, after one moment up to another. */
  private writers(from: number, to: number): Map<string, number> {
    const writers = new Map<string, number>();
    let before = this.state(from).state;
    for (let revision = from + 1; revision <= to; revision += 1) {
      const after = this.state(revision).state;
      note("", before, after, revision, writers);
      const place = this.placeOf(revision);
      if (place !== undefined && after.node_runs[place]) {
        writers.set(`/node_runs/${place}`, revision);
        note(`/node_runs/${place}`, before.node_runs[place] ?? {}, after.node_runs[place], revision, writers);
      }
      before = after;
    }
    return writers;
  }

  /** The place of the run that an event is about, in the state. */
  private placeOf(revision: number): number | undefined {
    const event = this.events[revision - 1];
    const run = event && runIn(event.payload);
    return run === undefined ? undefined : Math.max(0, run - earlierRunsOf(this.beginning?.payload));
  }
}

function note(
  path: string,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  revision: number,
  writers: Map<string, number>,
): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (name !== "node_runs" && before[name] !== after[name]) writers.set(`${path}/${name}`, revision);
}

/** What wrote a change: the field of the state, or of a node run, that it is in. */
function writerOf({ path }: StateChange, writers: ReadonlyMap<string, number>): number | undefined {
  const parts = path.split("/");
  const depth = parts[1] === "node_runs" ? 4 : 2;
  for (let length = Math.min(depth, parts.length); length > 1; length -= 1) {
    const found = writers.get(parts.slice(0, length).join("/"));
    if (found !== undefined) return found;
  }
  return undefined;
}

function runIn(payload: unknown): number | undefined {
  const run = (payload as { run?: { execution_index?: unknown } } | null)?.run?.execution_index;
  return typeof run === "number" ? run : undefined;
}

function eventIn(line: Line, blobs: Capsule["blobs"]): PastEvent {
  const { type, version } = line.record;
  let payload: unknown;
  try {
    payload = JSON.parse(payloadText(line.record, blobs));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`the event at position ${line.record.position} has a payload that is no JSON`);
  }
  return { line, type, version, ...withoutSealed(type, payload) };
}

/** A time in microseconds since 1970 as text. */
export function timeOf(us: string): string {
  return new Date(Number(BigInt(us) / 1000n)).toISOString();
}
