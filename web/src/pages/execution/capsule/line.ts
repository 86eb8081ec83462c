/**
 * An event as a line of an export: JSON of which the payload and the metadata are hashed as they are written, byte for byte. So they
 * are cut out of the text, and not read and written again.
 */

import type { AuditedRecord } from "@/parts/proof/tree";
import { Refusal } from "./refusal";

export interface Line {
  record: AuditedRecord;
  /** The leaf that the line says it has, in hexadecimal digits. */
  leaf: string;
}

const FIELDS = new Set([
  "position",
  "tenant",
  "category",
  "stream",
  "revision",
  "id",
  "type",
  "version",
  "recorded_at_us",
  "payload",
  "payload_text",
  "metadata",
  "metadata_text",
  "leaf",
]);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Reads a line without its end. */
export function readLine(text: string): Line {
  const raw = fieldsOf(text);
  const string = (name: string) => {
    const value: unknown = JSON.parse(raw.get(name) ?? "null");
    if (typeof value !== "string") throw new Refusal(`it is not an event: ${name} is no text`);
    return value;
  };
  const digits = (name: string, pattern: RegExp) => {
    const value = raw.get(name) ?? "";
    if (!pattern.test(value)) throw new Refusal(`it is not an event: ${name} is no number`);
    return value;
  };
  const stored = (name: string) => {
    const [json, escaped] = [raw.get(name), raw.has(`${name}_text`) ? string(`${name}_text`) : undefined];
    if ((json === undefined) === (escaped === undefined)) throw new Refusal(`it has not just one ${name}`);
    return json ?? escaped ?? "";
  };
  const id = string("id");
  if (!UUID.test(id)) throw new Refusal("it is not an event: its id is none");
  return {
    record: {
      position: digits("position", /^[1-9]\d{0,18}$/),
      tenant: Number(digits("tenant", /^\d{1,10}$/)),
      category: string("category"),
      stream: string("stream"),
      revision: digits("revision", /^[1-9]\d{0,18}$/),
      id,
      type: string("type"),
      version: Number(digits("version", /^\d{1,5}$/)),
      recordedAtUs: digits("recorded_at_us", /^-?\d{1,19}$/),
      payload: stored("payload"),
      metadata: stored("metadata"),
    },
    leaf: string("leaf"),
  };
}

/** The fields of an object, each as it is written. */
export function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const wrong = () => new Refusal("it is not an event: it is no object of JSON");
  // That it is JSON is left to the browser: below only ends of values are looked for.
  try {
    JSON.parse(text);
  } catch {
    throw wrong();
  }
  let at = afterSpace(text, 0);
  if (text[at] !== "{") throw wrong();
  at = afterSpace(text, at + 1);
  while (text[at] === '"') {
    const end = endOfText(text, at);
    const name = JSON.parse(text.slice(at, end)) as string;
    const start = afterSpace(text, afterSpace(text, end) + 1);
    const stop = endOfValue(text, start);
    if (!FIELDS.has(name) || fields.has(name)) throw new Refusal(`it is not an event: it has a field ${name} too many`);
    fields.set(name, text.slice(start, stop));
    at = afterSpace(text, stop);
    if (text[at] === ",") at = afterSpace(text, at + 1);
  }
  return fields;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at += 1;
  return at;
}

/** Where the text ends that begins with a quotation mark. */
function endOfText(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at > 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** Where a value ends, of JSON that was found to be JSON. */
function endOfValue(text: string, from: number): number {
  let at = from;
  let depth = 0;
  do {
    const character = text[at];
    if (character === '"') at = endOfText(text, at);
    else if (character === "{" || character === "[") [depth, at] = [depth + 1, at + 1];
    else if (character === "}" || character === "]") [depth, at] = [depth - 1, at + 1];
    else if (depth > 0) at += 1;
    else {
      while (at < text.length && !/[\s,}\]]/.test(text[at] ?? "")) at += 1;
      return at;
    }
  } while (depth > 0 && at < text.length);
  return at;
}
