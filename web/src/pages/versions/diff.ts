import { isRecord } from "@/parts/records";
/** A change of a value, as `DiffView` shows it. `path` is a JSON Pointer. */
export interface Change {
  op: "add" | "remove" | "replace";
  path: string;
  before?: unknown;
  after?: unknown;
}

/** What became of a node between two definitions. */
export interface NodeChange {
  kind: "added" | "removed" | "changed";
  /** Its name in the newer one, or in the older where it is gone. */
  name: string;
  /** What it was called before. */
  was?: string;
  type: string;
  changes: Change[];
}

/** A line between two nodes. */
export interface Line {
  from: string;
  to: string;
  /** What else tells it from others: kind, output and input, where they are not the first of the plain kind. */
  detail: string;
}

export interface DefinitionDiff {
  nodes: NodeChange[];
  /** Nodes that are the same but for where they are drawn. */
  movedCount: number;
  addedLines: Line[];
  removedLines: Line[];
  /** Everything that is neither node nor line: name, settings, pinned items. */
  rest: Change[];
  isSame: boolean;
}

type Fields = Record<string, unknown>;

/** How two definitions of a workflow differ. A node is the same one while its id is, or else its name. */
export function diffDefinitions(left: unknown, right: unknown): DefinitionDiff {
  const [older, newer] = [fieldsOf(left), fieldsOf(right)];
  const { nodes, movedCount, names } = diffNodes(nodesOf(older), nodesOf(newer));
  const renamed = (name: string) => names.get(name) ?? name;
  const before = new Map(linesOf(older, renamed).map((line) => [keyOf(line), line]));
  const after = new Map(linesOf(newer, (name) => name).map((line) => [keyOf(line), line]));
  const addedLines = [...after].filter(([key]) => !before.has(key)).map(([, line]) => line);
  const removedLines = [...before].filter(([key]) => !after.has(key)).map(([, line]) => line);
  const rest = changesBetween(withoutGraph(older), withoutGraph(newer));
  const isSame =
    nodes.length === 0 && movedCount === 0 && addedLines.length === 0 && removedLines.length === 0 && rest.length === 0;
  return { nodes, movedCount, addedLines, removedLines, rest, isSame };
}

function diffNodes(older: readonly Fields[], newer: readonly Fields[]) {
  const nodes: NodeChange[] = [];
  const names = new Map<string, string>();
  const left = new Set(older);
  let movedCount = 0;
  for (const node of newer) {
    const name = nameOf(node);
    const candidates = [...left];
    const before =
      candidates.find((one) => nameOf(one) === name) ??
      candidates.find(
        (one) =>
          typeof one.id === "string" && one.id === node.id && !newer.some((other) => nameOf(other) === nameOf(one)),
      );
    if (!before) {
      nodes.push({ kind: "added", name, type: typeOf(node), changes: [] });
      continue;
    }
    left.delete(before);
    const was = nameOf(before);
    names.set(was, name);
    const changes = changesBetween(withoutPlace(before), withoutPlace(node));
    if (changes.length > 0)
      nodes.push({ kind: "changed", name, ...(was === name ? {} : { was }), type: typeOf(node), changes });
    else if (changesBetween(before.position, node.position).length > 0) movedCount += 1;
  }
  for (const node of left) nodes.push({ kind: "removed", name: nameOf(node), type: typeOf(node), changes: [] });
  return { nodes, movedCount, names };
}

/** How two values of JSON differ, path by path. */
export function changesBetween(before: unknown, after: unknown, path = ""): Change[] {
  if (before === after) return [];
  if (before === undefined) return [{ op: "add", path, after }];
  if (after === undefined) return [{ op: "remove", path, before }];
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => changesBetween(before[name], after[name], `${path}/${escaped(name)}`));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, place) => changesBetween(before[place], after[place], `${path}/${place}`)).flat();
  }
  return [{ op: "replace", path, before, after }];
}

function linesOf(definition: Fields, nameIn: (name: string) => string): Line[] {
  const lines: Line[] = [];
  for (const [from, kinds] of Object.entries(fieldsOf(definition.connections)))
    for (const [kind, outputs] of Object.entries(fieldsOf(kinds)))
      for (const [output, targets] of listOf(outputs).entries())
        for (const target of listOf(targets)) {
          const { node, index } = fieldsOf(target);
          if (typeof node !== "string") continue;
          const input = typeof index === "number" ? index : 0;
          const parts = [
            kind === "main" ? "" : kind,
            output > 0 ? `output ${output + 1}` : "",
            input > 0 ? `input ${input + 1}` : "",
          ];
          lines.push({ from: nameIn(from), to: nameIn(node), detail: parts.filter((part) => part !== "").join(", ") });
        }
  return lines;
}

function keyOf({ from, to, detail }: Line): string {
  return JSON.stringify([from, to, detail]);
}

/** Ids of nodes and where they are drawn decide nothing about what runs. */
function withoutPlace(node: Fields): Fields {
  return without(node, ["position", "id"]);
}

function withoutGraph(definition: Fields): Fields {
  return without(definition, ["nodes", "connections"]);
}

function without(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

function nodesOf(definition: Fields): Fields[] {
  return listOf(definition.nodes).filter(isRecord);
}

function nameOf(node: Fields): string {
  return typeof node.name === "string" ? node.name : "";
}

function typeOf(node: Fields): string {
  return typeof node.type === "string" ? node.type : "";
}

function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function escaped(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
