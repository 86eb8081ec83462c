import { isRecord } from "@/parts/records";

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
