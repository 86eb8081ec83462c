/** A line of JSON as it is shown. `path` is a JSON Pointer. */
export interface JsonLine {
  path: string;
  depth: number;
  /** The name or the place in what is around it; absent at the root and behind an end. */
  name: string | undefined;
  kind: "open" | "close" | "value";
  /** The text of a value, or a sign. */
  text: string;
  type: "object" | "array" | "string" | "number" | "boolean" | "null";
  /** Entries of what is closed or begins here. */
  entries: number;
  isOpen: boolean;
}

/** The part of a JSON Pointer that stands for a name. */
export function pointerPart(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A value as JSON; what JSON does not know is null. */
export function jsonText(value: unknown, indent?: number): string {
  return value === undefined ? "null" : JSON.stringify(value, null, indent);
}

/** The lines of a value, of which these paths are closed. Nothing of what is closed is looked at. */
export function jsonLines(value: unknown, isOpen: (path: string, depth: number) => boolean): JsonLine[] {
  const lines: JsonLine[] = [];
  // By hand in place of recursion: values of others may be deeper than a stack.
  interface Task {
    path: string;
    depth: number;
    name: string | undefined;
    value: unknown;
    close?: JsonLine;
  }
  const stack: Task[] = [{ path: "", depth: 0, name: undefined, value }];
  for (let task = stack.pop(); task; task = stack.pop()) {
    if (task.close) {
      lines.push(task.close);
      continue;
    }
    const { path, depth, name } = task;
    if (task.value === null || typeof task.value !== "object") {
      lines.push({
        path,
        depth,
        name,
        kind: "value",
        text: jsonText(task.value),
        type: typeOf(task.value),
        entries: 0,
        isOpen: false,
      });
      continue;
    }
    const isArray = Array.isArray(task.value);
    const entries = Object.entries(task.value as Record<string, unknown>);
    const open = entries.length > 0 && isOpen(path, depth);
    const type = isArray ? "array" : "object";
    const text = open
      ? isArray
        ? "["
        : "{"
      : isArray
        ? entries.length > 0
          ? "[…]"
          : "[]"
        : entries.length > 0
          ? "{…}"
          : "{}";
    lines.push({ path, depth, name, kind: "open", text, type, entries: entries.length, isOpen: open });
    if (!open) continue;
    const close: JsonLine = {
      path,
      depth,
      name: undefined,
      kind: "close",
      text: isArray ? "]" : "}",
      type,
      entries: 0,
      isOpen: true,
    };
    stack.push({ path, depth, name: undefined, value: undefined, close });
    for (const [key, inner] of entries.toReversed()) {
      stack.push({
        path: `${path}/${pointerPart(key)}`,
        depth: depth + 1,
        name: isArray ? key : JSON.stringify(key),
        value: inner,
      });
    }
  }
  return lines;
}

function typeOf(value: unknown): JsonLine["type"] {
  if (value === null || value === undefined) return "null";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "null";
}

/** Paths of names and values that have a text in them, in order, at most `most`. */
export function jsonMatches(value: unknown, text: string, most = 1_000): string[] {
  const found: string[] = [];
  const wanted = text.toLowerCase();
  if (wanted === "") return found;
  const stack: { path: string; name: string; value: unknown }[] = [{ path: "", name: "", value }];
  for (let task = stack.pop(); task && found.length < most; task = stack.pop()) {
    const isLeaf = task.value === null || typeof task.value !== "object";
    if (task.name.toLowerCase().includes(wanted) || (isLeaf && String(task.value).toLowerCase().includes(wanted)))
      found.push(task.path);
    if (isLeaf) continue;
    for (const [name, inner] of Object.entries(task.value as Record<string, unknown>).toReversed()) {
      stack.push({ path: `${task.path}/${pointerPart(name)}`, name, value: inner });
    }
  }
  return found;
}
