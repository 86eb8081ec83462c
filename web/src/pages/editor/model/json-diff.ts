import { isRecord } from "@/parts/records";
import { type Definition } from "./definition";
import { isSame } from "./merge";

export interface JsonChange {
  op: "add" | "remove" | "replace";
  path: string;
  before?: unknown;
  after?: unknown;
}

/** What differs between two workflow files. Nodes are told apart by name, not by their place in the list. */
export function diffDefinitions(before: Definition, after: Definition): JsonChange[] {
  const changes: JsonChange[] = [];
  compare(comparable(before), comparable(after), "", changes);
  return changes;
}

function comparable(definition: Definition): unknown {
  return { ...definition, nodes: Object.fromEntries(definition.nodes.map(({ name, ...node }) => [name, node])) };
}

function compare(before: unknown, after: unknown, path: string, changes: JsonChange[]): void {
  if (isSame(before, after)) return;
  if (isRecord(before) && isRecord(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare(before[name], after[name], `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, changes);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    const [old, now] = [before as unknown[], after as unknown[]];
    for (let index = 0; index < Math.max(old.length, now.length); index += 1)
      compare(old[index], now[index], `${path}/${index}`, changes);
  } else if (before === undefined) changes.push({ op: "add", path, after });
  else if (after === undefined) changes.push({ op: "remove", path, before });
  else changes.push({ op: "replace", path, before, after });
}
