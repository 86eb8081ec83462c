import { isPayload } from "../history/facts";

/** A field that items have. */
export interface SchemaField {
  path: string;
  types: string[];
  /** In how many of the items it is. */
  count: number;
  example: unknown;
}

const FIELDS_MAX = 500;
const DEPTH_MAX = 6;

/** What fields items have, of which types, and how often. */
export function schemaOf(items: readonly unknown[]): SchemaField[] {
  const fields = new Map<string, { types: Set<string>; count: number; example: unknown }>();
  const see = (path: string, value: unknown, depth: number) => {
    if (fields.size >= FIELDS_MAX && !fields.has(path)) return;
    const field = fields.get(path) ?? { types: new Set<string>(), count: 0, example: value };
    field.types.add(typeOf(value));
    field.count += 1;
    fields.set(path, field);
    if (depth >= DEPTH_MAX) return;
    if (isPayload(value)) for (const [name, inner] of Object.entries(value)) see(`${path}.${name}`, inner, depth + 1);
    else if (Array.isArray(value) && value.length > 0) see(`${path}[]`, value[0], depth + 1);
  };
  for (const item of items)
    if (isPayload(item) && isPayload(item.json))
      for (const [name, value] of Object.entries(item.json)) see(name, value, 1);
  return [...fields].map(([path, { types, count, example }]) => ({ path, types: [...types].sort(), count, example }));
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Names of the fields of items, in the order in which they come. */
export function columnsOf(items: readonly unknown[], most: number): string[] {
  const names = new Set<string>();
  for (const item of items) {
    if (!isPayload(item) || !isPayload(item.json)) continue;
    for (const name of Object.keys(item.json)) {
      if (names.size >= most) return [...names];
      names.add(name);
    }
  }
  return [...names];
}
