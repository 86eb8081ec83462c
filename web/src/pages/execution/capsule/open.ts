/** An execution out of a capsule, as the debugger looks at it. Nothing here asks anybody. */

import type { Doer } from "@/parts/ActorName";
import { isRecord } from "@/parts/records";
import type { Question } from "../exact";
import { ancestorOf } from "../history/facts";
import type { History } from "../history/history";
import type { RunPlace } from "../panels/locate";
import type { EventTold, FoundTold, Source } from "../source";
import { at } from "./changes";
import { isKnown } from "./fold";
import { Past, type PastEvent, timeOf } from "./past";
import type { Capsule } from "./read";
import { definitionIn } from "./workflow";

/** Executions that go on from each other are followed so far. */
const ANCESTORS_MAX = 16;
/** Hits of one search, and characters around each. */
const HITS_MAX = 100;
const AROUND = 60;
const BLOB_START = "blob:";

export interface OpenedExecution {
  id: string;
  workflow: { id: string; name: string; revision: number; version: number | undefined };
  status: string;
  mode: string;
  startedAt: string | undefined;
  endedAt: string | undefined;
  error: { node: string | undefined; message: string } | undefined;
  breakpoints: ReadonlySet<string>;
  beginning: { type: string; payload: unknown } | undefined;
  history: History;
  /** Events that are sealed, and which of their fields. */
  sealed: { revision: number; position: string; type: string; fields: string[] }[];
  source: Source;
}

/** Opens an execution of a capsule; what is in its events and cannot be read is refused. */
export function openExecution(capsule: Capsule, id: string): OpenedExecution {
  const pasts = new Map<string, Past>();
  const pastOf = (execution: string) => {
    const past = pasts.get(execution) ?? Past.of(capsule, execution);
    pasts.set(execution, past);
    return past;
  };
  const past = pastOf(id);
  const last = past.events.length;
  const { state } = past.state(last);
  const start = isRecord(state.start) ? state.start : {};
  const ran = {
    id: typeof start.workflow_id === "string" ? start.workflow_id : "",
    revision: typeof start.workflow_revision === "number" ? start.workflow_revision : 0,
    version: typeof start.workflow_version === "number" ? start.workflow_version : undefined,
  };
  const history = past.history();
  history.setEarlier(earlierRuns(past, pastOf));
  return {
    id,
    workflow: { ...ran, name: capsule.manifest.workflows.find((one) => one.id === ran.id)?.name ?? ran.id },
    status: state.status.toUpperCase(),
    mode: typeof start.mode === "string" ? start.mode : "",
    startedAt: timeFromMs(start.at_ms),
    endedAt: timeFromMs(state.ended_at_ms) ?? endOf(past.events),
    error: state.status === "failed" ? errorIn(state) : undefined,
    breakpoints: new Set((Array.isArray(state.breakpoints) ? (state.breakpoints as unknown[]) : []).flatMap(nodeIn)),
    beginning: past.beginning,
    history,
    sealed: past.events.flatMap(({ line: { record }, type, sealed }) =>
      sealed ? [{ revision: Number(record.revision), position: record.position, type, fields: sealed }] : [],
    ),
    source: sourceOf(capsule, past, pastOf, ran),
  };
}

/** An answer that is here already. */
function here<D>(key: string, answer: () => D): Question<D> {
  return {
    key,
    isAtHand: () => true,
    ask: (take) => {
      take({ data: answer() });
      return () => undefined;
    },
  };
}

function sourceOf(
  capsule: Capsule,
  past: Past,
  pastOf: (id: string) => Past,
  ran: { id: string; revision: number; version: number | undefined },
): Source {
  const { id } = past;
  return {
    // The log is somewhere else: here another event may have the same position.
    hasLog: false,
    definition: () => here(id, () => definitionIn(capsule, ran) ?? {}),
    event: (position) => here(String(position), () => told(past.events, position)),
    state: (revision) =>
      here(String(revision), () => {
        const { state, unknownEventCount } = past.state(revision);
        return { value: state, unknownEventCount };
      }),
    ownState: (revision) =>
      here(String(revision), () => {
        const { state, unknownEventCount } = past.state(revision);
        const own = Object.entries(state).filter(([name, value]) => name !== "node_runs" && value !== null);
        return { value: Object.fromEntries(own), unknownEventCount };
      }),
    part: ({ executionId, revision, path }) =>
      here(JSON.stringify([executionId, revision, path]), () => {
        const of = pastOf(executionId);
        return at(of.state(revision ?? of.events.length).state, path);
      }),
    changes: (from, to) => here(`${from} ${to}`, () => past.changes(from, to)),
    locate: (node, runIndex) => Promise.resolve(locate(past, pastOf, node, runIndex)),
    search: (text, after) => here(JSON.stringify([text, after]), () => found(past.events, text, after)),
    fileOf: (file) => fileIn(capsule, file),
  };
}

function told(events: readonly PastEvent[], position: number): EventTold | undefined {
  const event = events.find(({ line }) => Number(line.record.position) === position);
  if (!event) return undefined;
  const { record } = event.line;
  let metadata: unknown;
  try {
    metadata = JSON.parse(record.metadata);
  } catch {
    // Then nothing is known of who brought it about.
  }
  const said = isRecord(metadata) ? metadata : {};
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  return {
    position: record.position,
    revision: Number(record.revision),
    type: record.type,
    recordedAt: timeOf(record.recordedAtUs),
    schemaVersion: record.version,
    reason: text(said.reason),
    requestId: text(said.request_id),
    traceparent: text(said.traceparent),
    known: isKnown(event),
    payload: event.payload,
    actor: doerOf(said.actor) ?? { kind: "system", name: "unknown", displayName: null },
    onBehalfOf: doerOf(said.on_behalf_of) ?? null,
  };
}

function doerOf(value: unknown): (Doer & { displayName: null }) | undefined {
  if (typeof value !== "string") return undefined;
  const [kind = "", ...name] = value.split(":");
  return { kind, name: name.join(":"), displayName: null };
}

/** How often each node had run in the executions from which this one goes on. */
function earlierRuns(past: Past, pastOf: (id: string) => Past): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state } of ancestors(past, pastOf))
    for (const { node, run_index } of state.node_runs)
      if (typeof run_index === "number") counts.set(node, Math.max(counts.get(node) ?? 0, run_index + 1));
  return counts;
}

function locate(past: Past, pastOf: (id: string) => Past, node: string, runIndex: number): RunPlace | undefined {
  for (const { of, revision, state } of ancestors(past, pastOf)) {
    const place = state.node_runs.findIndex((run) => run.node === node && run.run_index === runIndex);
    if (place >= 0) return { executionId: of.id, revision, path: `/node_runs/${place}` };
  }
  return undefined;
}

/** The executions from which one goes on, the nearest first, each as it was then. */
function* ancestors(past: Past, pastOf: (id: string) => Past) {
  let link = past.ancestor;
  for (let depth = 0; link && depth < ANCESTORS_MAX; depth += 1) {
    const of = pastOf(link.id);
    if (of.events.length === 0) return;
    const revision: number = link.revision ?? of.events.length;
    yield { of, revision, state: of.state(revision).state };
    const { beginning } = of;
    link = beginning && ancestorOf(beginning.type, beginning.payload);
  }
}

/** Events whose payloads have a text, the oldest first, after a position. */
function found(events: readonly PastEvent[], text: string, after: string | undefined): FoundTold {
  const wanted = text.toLowerCase();
  const hits: { position: string; excerpt: string }[] = [];
  const from = after === undefined ? 0 : BigInt(after);
  for (const { line, payload } of events) {
    const { position } = line.record;
    if (BigInt(position) <= from) continue;
    const content = JSON.stringify(payload);
    const place = content.toLowerCase().indexOf(wanted);
    if (place < 0) continue;
    const excerpt = content.slice(Math.max(0, place - AROUND), place + text.length + AROUND);
    hits.push({ position, excerpt });
    if (hits.length === HITS_MAX) return { hits, next: position };
  }
  return { hits, next: undefined };
}

/** A file of an item: from beside the events, or out of the item itself. */
function fileIn({ blobs }: Capsule, file: Record<string, unknown>): Blob | undefined {
  const type = typeof file.mimeType === "string" ? file.mimeType : "application/octet-stream";
  if (typeof file.id === "string" && file.id.startsWith(BLOB_START)) {
    const content = blobs.get(file.id.slice(BLOB_START.length));
    return content && new Blob([content], { type });
  }
  if (typeof file.data !== "string" || file.data === "") return undefined;
  try {
    return new Blob([Uint8Array.from(atob(file.data), (character) => character.charCodeAt(0))], { type });
  } catch {
    return undefined;
  }
}

function timeFromMs(value: unknown): string | undefined {
  return typeof value === "number" ? new Date(value).toISOString() : undefined;
}

/** When it was cancelled: of that the recording time of the event tells. */
function endOf(events: readonly PastEvent[]): string | undefined {
  const end = events.find(({ type }) => type === "ExecutionCancelled");
  return end && timeOf(end.line.record.recordedAtUs);
}

function errorIn(state: Record<string, unknown>): { node: string | undefined; message: string } {
  const message = isRecord(state.error) ? state.error.message : undefined;
  return {
    node: typeof state.failed_node === "string" ? state.failed_node : undefined,
    message: typeof message === "string" ? message : "It failed.",
  };
}

function nodeIn(breakpoint: unknown): string[] {
  return isRecord(breakpoint) && typeof breakpoint.node === "string" ? [breakpoint.node] : [];
}
