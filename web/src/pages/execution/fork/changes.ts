import { isRecord } from "@/parts/records";
import type { ForkChangeInput } from "@/gql/schema";

export type ChangeKind = "output" | "parameter" | "variable";

/** A change as it is being written: its value is text until it is right. */
export interface Draft {
  key: string;
  kind: ChangeKind;
  node: string;
  runIndex: number;
  /** Where in the parameters, or the name of a variable. */
  path: string;
  text: string;
}

/** A draft as the API takes it, or what is wrong with it. */
export function changeOf(draft: Draft): { change: ForkChangeInput } | { problem: string } {
  const { kind, node, path, text } = draft;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `This is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (kind === "variable") {
    if (path.trim() === "") return { problem: "Say which variable." };
    return { change: { variable: { name: path.trim(), value } } };
  }
  if (node === "") return { problem: "Say which node." };
  if (kind === "parameter") {
    if (!path.startsWith("/")) return { problem: "Say where in the parameters, such as /url." };
    return { change: { parameter: { node, path, value } } };
  }
  const outputs = value;
  if (!Array.isArray(outputs) || outputs.some((items) => !Array.isArray(items)))
    return { problem: "What a node gives is a list of items for each output, such as [[{ … }]]." };
  if ((outputs as unknown[][]).flat().some((item) => !isRecord(item)))
    return { problem: 'Each item is an object, such as { "total": 4 }.' };
  return { change: { output: { node, runIndex: draft.runIndex, outputs: outputs as unknown[] } } };
}

/** Items without what only the engine needs, as somebody changes them. */
export function plainOutputs(outputs: unknown): unknown {
  if (!Array.isArray(outputs)) return [[{}]];
  return outputs.map((items: unknown) =>
    Array.isArray(items)
      ? items.map((item: unknown) => {
          if (!isRecord(item)) return item;
          return item.binary === undefined ? (item.json ?? {}) : { json: item.json, binary: item.binary };
        })
      : [],
  );
}

/** JSON Pointers to all values in parameters, at most `most`. */
export function pointers(value: unknown, most = 200): string[] {
  const found: string[] = [];
  const walk = (inner: unknown, path: string) => {
    if (found.length >= most) return;
    if (typeof inner !== "object" || inner === null) {
      found.push(path);
      return;
    }
    for (const [name, one] of Object.entries(inner))
      walk(one, `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
  };
  walk(value, "");
  return found.filter((path) => path !== "");
}

/** What is at a JSON Pointer. */
export function at(value: unknown, pointer: string): unknown {
  let inner = value;
  for (const part of pointer.split("/").slice(1)) {
    if (typeof inner !== "object" || inner === null) return undefined;
    inner = (inner as Record<string, unknown>)[part.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return inner;
}
