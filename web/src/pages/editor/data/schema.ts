import { isRecord } from "../model/definition";
import { isName, quote, shortValue } from "../expression/completion";

/** A field that items have. */
export interface SchemaLine {
  /** How an expression gets there, from the item on. */
  path: string;
  name: string;
  depth: number;
  type: string;
  /** The value that the first item has. */
  sample: string;
}

const LINES_MAX = 500;
const ITEMS_MAX = 100;

/** What fields items have, by the first hundred. */
export function schemaOf(items: readonly unknown[]): SchemaLine[] {
  const lines: SchemaLine[] = [];
  tell(items.slice(0, ITEMS_MAX), "$json", 0, lines);
  return lines;
}

function tell(values: readonly unknown[], path: string, depth: number, lines: SchemaLine[]): void {
  const fields = new Map<string, unknown[]>();
  for (const value of values)
    if (isRecord(value))
      for (const [name, one] of Object.entries(value)) {
        const known = fields.get(name);
        if (known) known.push(one);
        else fields.set(name, [one]);
      }
  for (const [name, found] of fields) {
    if (lines.length >= LINES_MAX) return;
    const own = `${path}${isName(name) ? `.${name}` : `[${quote(name)}]`}`;
    const types = [...new Set(found.map(typeOf))];
    lines.push({ path: own, name, depth, type: types.join(" or "), sample: shortValue(found[0]) });
    tell(found, own, depth + 1, lines);
    const lists = found.filter((one) => Array.isArray(one)) as unknown[][];
    tell(
      lists.map((list) => list[0]),
      `${own}[0]`,
      depth + 1,
      lines,
    );
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "list" : typeof value === "object" ? "object" : typeof value;
}

/** The columns of a table of items: their fields, those of the first items first. */
export function columnsOf(items: readonly unknown[]): string[] {
  const names = new Set<string>();
  for (const item of items.slice(0, ITEMS_MAX))
    if (isRecord(item)) for (const name of Object.keys(item)) names.add(name);
  return [...names];
}

/** Items as somebody wrote them, bare or wrapped as `{"json": …}`; or why they are none. */
export function readItems(value: unknown): { items: unknown[] } | { problem: string } {
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  const wrong = list.findIndex((one) => !isRecord(one));
  if (wrong >= 0) return { problem: `Items are objects, and entry ${wrong + 1} is none.` };
  return { items: list.map((one) => (isRecord(one) && isRecord(one.json) ? one : { json: one })) };
}

/** An item as people write it: its data alone, where nothing else is in it that would be lost. */
export function bareItem(item: unknown): unknown {
  const isPlain =
    isRecord(item) &&
    isRecord(item.json) &&
    Object.keys(item).every((field) => field === "json" || field === "pairedItem");
  return isPlain ? item.json : item;
}
