import { isRecord } from "@/parts/records";
/** A field that items have. */
export interface SchemaLine {
  /** How an expression gets there, from the item on. */
  path: string;
  name: string;
  depth: number;
  type: string;
  /** In how many of the values around it the field is; of a top field, in how many items. */
  count: number;
  /** The value that the first item has which has it. */
  sample: unknown;
}

const LINES_MAX = 500;
const DEPTH_MAX = 12;
/** Names of columns come from so many items; fields of a schema from all. */
const ITEMS_MAX = 100;

/** The data of an item; nothing where it is no item. */
export function dataOf(item: unknown): unknown {
  return isRecord(item) ? item.json : undefined;
}

/** What fields the data of items have, of which types, and how often. */
export function schemaOf(data: readonly unknown[]): SchemaLine[] {
  const lines: SchemaLine[] = [];
  tell(data, "$json", 0, lines);
  return lines;
}

function tell(values: readonly unknown[], path: string, depth: number, lines: SchemaLine[]): void {
  if (depth >= DEPTH_MAX) return;
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
    const own = `${path}${isName(name) ? `.${name}` : `['${name.replace(/[\\']/g, "\\$&")}']`}`;
    const types = [...new Set(found.map(typeOf))];
    lines.push({ path: own, name, depth, type: types.join(" or "), count: found.length, sample: found[0] });
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

function isName(text: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(text);
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "list" : typeof value;
}

/** The columns of a table of items: the fields of their data, those of the first items first. */
export function columnsOf(data: readonly unknown[]): string[] {
  const names = new Set<string>();
  for (const one of data.slice(0, ITEMS_MAX)) if (isRecord(one)) for (const name of Object.keys(one)) names.add(name);
  return [...names];
}
