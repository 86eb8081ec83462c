/** A part of a message of a language model. */
export type Part =
  | { kind: "text"; text: string }
  | { kind: "thinking"; text: string }
  | { kind: "call"; id: string; name: string; arguments: unknown }
  | { kind: "result"; call: string; text: string }
  /** Of a kind that this app does not know. */
  | { kind: "other"; value: unknown };

export interface Message {
  role: string;
  parts: readonly Part[];
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const textIn = (value: unknown): string => (typeof value === "string" ? value : "");

/** A text as the JSON that it is, or as it is. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function partOf(value: unknown): Part {
  if (!isObject(value)) return { kind: "other", value };
  if (isObject(value.text)) return { kind: "text", text: textIn(value.text.text) };
  if (isObject(value.thinking)) return { kind: "thinking", text: textIn(value.thinking.text) };
  if (isObject(value.tool_call)) {
    const { id, name, arguments: given } = value.tool_call;
    return { kind: "call", id: textIn(id), name: textIn(name), arguments: readJson(textIn(given)) };
  }
  if (isObject(value.tool_result)) {
    const parts = partsOf(value.tool_result.parts);
    const text = parts.map((part) => (part.kind === "text" ? part.text : JSON.stringify(part))).join("\n");
    return { kind: "result", call: textIn(value.tool_result.call), text };
  }
  return { kind: "other", value };
}

/** The parts of a message, as they were written down. */
export function partsOf(value: unknown): Part[] {
  return Array.isArray(value) ? value.map(partOf) : [];
}

/** Messages as they were written down: of an agent's run, or of a call's request. */
export function messagesOf(value: unknown): Message[] {
  const list = isObject(value) ? value.messages : value;
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map(({ role, parts }) => ({ role: textIn(role), parts: partsOf(parts) }));
}

/** What a model answered, as it was written down: each choice as a message. */
export function choicesOf(value: unknown): Message[] {
  if (!isObject(value) || !Array.isArray(value.choices)) return [];
  return value.choices.filter(isObject).map(({ parts }) => ({ role: "assistant", parts: partsOf(parts) }));
}

/** What a tool gave, without the marks between which the model is shown it. */
export function withoutMarks(text: string): string {
  return /^<tool_result>\n([\s\S]*)\n<\/tool_result>$/.exec(text)?.[1] ?? text;
}
