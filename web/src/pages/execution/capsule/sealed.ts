/**
 * What stands for fields that are sealed: whoever has a capsule alone cannot open them, and cannot tell them from what is erased.
 */

import { isRecord } from "@/parts/records";

interface Field {
  /** Names of fields from the outside in, with dots between them. */
  path: string;
  /** What stands in its place. */
  stands: unknown;
  /** Whether that stands there as well where the field was not. */
  marks?: boolean;
}

const ERASED = "[erased]";
const ERROR = { name: "Erased", message: ERASED };
const field = (path: string, stands: unknown): Field => ({ path, stands });
const START = [
  field("start.items", []),
  field("start.pins", {}),
  { path: "start.subject", stands: ERASED, marks: true },
];

const FIELDS: Partial<Record<string, Field[]>> = {
  ExecutionStarted: [field("items", []), field("pins", {}), { path: "subject", stands: ERASED, marks: true }],
  NodeCompleted: [field("outputs", []), field("memory", null), field("hints", [])],
  NodeFailed: [field("error", ERROR), field("outputs", [])],
  NodeRetried: [field("error", ERROR)],
  NodeSkipped: [field("reason", ERASED)],
  ExecutionWaiting: [field("resume", null)],
  ExecutionResumed: [field("items", null)],
  ExecutionPaused: [field("reason.reason", ERASED)],
  ExecutionResponded: [field("response", { status: 410, body: { kind: "empty" } })],
  ExecutionDataSaved: [field("data", {})],
  ExecutionRetried: START,
  ExecutionForked: [field("reason", ERASED), ...START, field("changes", [])],
  ExecutionDismissed: [field("reason", ERASED)],
  ExecutionCancelled: [field("reason", ERASED)],
  ExecutionFailed: [field("error", ERROR)],
  ExecutionContinued: [...START, field("due", []), field("waiting", []), field("memory", {})],
};

export interface Opened {
  payload: unknown;
  /** The fields that are sealed; undefined where none is. */
  sealed: string[] | undefined;
}

/** A payload with what stands for its sealed fields. */
export function withoutSealed(type: string, payload: unknown): Opened {
  if (!isRecord(payload) || payload.$sealed === undefined) return { payload, sealed: undefined };
  const left = Object.fromEntries(Object.entries(payload).filter(([name]) => name !== "$sealed"));
  let shown: Record<string, unknown> = left;
  const sealed: string[] = [];
  for (const { path, stands, marks } of FIELDS[type] ?? []) {
    const names = path.split(".");
    const there = names.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), left);
    // Where a field was taken, null stays.
    if (there === null) sealed.push(path);
    if (there === null || (there === undefined && marks === true)) shown = put(shown, names, stands);
  }
  return { payload: { $erased: sealed, ...shown }, sealed };
}

function put(object: Record<string, unknown>, [name, ...rest]: string[], value: unknown): Record<string, unknown> {
  if (name === undefined) return object;
  if (rest.length === 0) return { ...object, [name]: value };
  const inner = object[name];
  return isRecord(inner) ? { ...object, [name]: put(inner, rest, value) } : object;
}
