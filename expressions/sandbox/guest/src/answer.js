// Writes answers for the host. `src/answer.rs` reads them.

import { InvalidSyntax, LimitError, limitOf } from './errors.js';
import { DateTime, Duration, Interval } from './zones.js';

const { stringify: toJson } = JSON;

/** JSON of a value; big integers, which JSON lacks, become text. */
export function stringify(value) {
  try {
    return toJson(value);
  } catch (error) {
    // Only the second look pays for asking about every part.
    if (!/bigint/i.test(error?.message)) throw error;
    return toJson(value, (_, part) => (typeof part === 'bigint' ? part.toString() : part));
  }
}

function specialKind(value) {
  if (typeof value === 'number') return Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? undefined : 'infinity';
  if (typeof value === 'bigint') return 'big_int';
  if (typeof value === 'function') return 'function';
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Date) return 'date';
  if (value instanceof DateTime) return 'date_time';
  if (value instanceof Duration) return 'duration';
  if (value instanceof Interval) return 'interval';
  if (value instanceof RegExp) return 'reg_exp';
  if (value instanceof Error) return 'error';
  return undefined;
}

const JSON_OF = {
  function: () => null,
  reg_exp: (value) => String(value),
  error: (value) => ({ name: value.name, message: value.message }),
  interval: (value) => value.toISO(),
};

/** The answer of one job, as JSON. */
export function valueAnswer(value) {
  if (value === undefined || typeof value === 'symbol') return '"u"';
  const kind = specialKind(value);
  const json = stringify(kind && JSON_OF[kind] ? JSON_OF[kind](value) : value);
  if (kind === undefined) return json === undefined ? '"u"' : `{"j":${json}}`;
  return `{"s":["${kind}",${json ?? 'null'}]}`;
}

function tag(value, seen) {
  if (value === undefined || typeof value === 'symbol') return { $undefined: true };
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Number.isNaN(value) ? { $nan: true } : value;
  }
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (typeof value === 'function') return { $function: value.name };
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (value instanceof DateTime) return { $dateTime: value.toISO() };
  if (value instanceof Duration) return { $duration: value.toISO() };
  if (value instanceof Interval) return { $interval: value.toISO() };
  if (value instanceof RegExp) return { $regex: String(value) };
  if (value instanceof Error) return { $error: value.name, message: value.message };
  if (seen.includes(value)) throw new TypeError('Converting circular structure to JSON');
  const inner = [...seen, value];
  if (Array.isArray(value)) return Array.from(value, (part) => tag(part, inner));
  return Object.fromEntries(Object.keys(value).map((key) => [key, tag(value[key], inner)]));
}

/** The answer of one job with special values tagged at any depth. */
export function taggedAnswer(value) {
  return `{"j":${JSON.stringify(tag(value, []))}}`;
}

function lineOf(error, firstLine) {
  if (error.line !== undefined) return error.line;
  const match = /\(?<input>:(\d+)/.exec(String(error.stack ?? ''));
  return match && firstLine ? Math.max(1, Number(match[1]) - firstLine) : undefined;
}

function jsonOrNothing(value) {
  try {
    return value === undefined ? undefined : JSON.parse(stringify(value) ?? 'null');
  } catch {
    return undefined;
  }
}

/** What the host needs to know of a thrown value. */
export function errorAnswer(thrown, { firstLine, itemIndex } = {}) {
  const limit = limitOf(thrown);
  if (limit !== undefined) return { kind: 'limit', message: limit };
  if (thrown instanceof InvalidSyntax) return { kind: 'syntax', message: thrown.message };
  if (!(thrown instanceof Error)) {
    const object = typeof thrown === 'object' && thrown !== null ? thrown : undefined;
    const message = String(object?.message ?? (object ? stringify(object) : thrown));
    return { kind: 'thrown', name: String(object?.name ?? 'Error'), message, value: jsonOrNothing(thrown), itemIndex };
  }
  const description = thrown.description === undefined ? undefined : String(thrown.description);
  return {
    kind: 'thrown',
    name: String(thrown.name),
    message: String(thrown.message),
    description,
    line: lineOf(thrown, firstLine),
    itemIndex: thrown.itemIndex ?? itemIndex,
  };
}

/** Refuses an answer that is too long to hand over. */
export function checkLength(length, max) {
  if (length > max) throw new LimitError(`stopped: the script's output is larger than ${Math.floor(max / 1048576)} MiB`);
}
