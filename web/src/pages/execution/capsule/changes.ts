/** What differs between two states: paths of values that came, went, or are others. */

import { isRecord } from "@/parts/records";
import { pointerPart } from "@/ui/json-lines";

export interface StateChange {
  op: "add" | "remove" | "replace";
  /** JSON Pointer. */
  path: string;
  before?: unknown;
  after?: unknown;
}

/** More are not told: nobody reads them. */
export const CHANGES_MAX = 1_000;

export function changesBetween(before: unknown, after: unknown): StateChange[] {
  const changes: StateChange[] = [];
  compare("", before, after, changes);
  return changes;
}

function compare(path: string, before: unknown, after: unknown, changes: StateChange[]): void {
  // What the same event wrote is the same object.
  if (before === after || changes.length >= CHANGES_MAX) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    const [one, other] = [before as unknown[], after as unknown[]];
    for (let place = 0; place < Math.max(one.length, other.length); place += 1)
      compareAt(`${path}/${place}`, [one.length > place, one[place]], [other.length > place, other[place]], changes);
    return;
  }
  if (isRecord(before) && isRecord(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)].sort()))
      compareAt(`${path}/${pointerPart(name)}`, [name in before, before[name]], [name in after, after[name]], changes);
    return;
  }
  changes.push({ op: "replace", path, before, after });
}

type Place = [isThere: boolean, value: unknown];

function compareAt(path: string, [wasThere, before]: Place, [isThere, after]: Place, changes: StateChange[]): void {
  if (wasThere && isThere) compare(path, before, after, changes);
  else if (changes.length < CHANGES_MAX)
    changes.push(wasThere ? { op: "remove", path, before } : { op: "add", path, after });
}

/** What is at a JSON Pointer. */
export function at(value: unknown, pointer: string): unknown {
  if (pointer === "") return value;
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((inner, name) => {
      if (Array.isArray(inner)) return /^\d+$/.test(name) ? (inner as unknown[])[Number(name)] : undefined;
      return isRecord(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined;
    }, value);
}
