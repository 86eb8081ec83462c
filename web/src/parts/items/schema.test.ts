import { expect, test } from "vitest";
import { columnsOf, dataOf, schemaOf } from "./schema";

test("a schema tells of which types fields are, and in how many items", () => {
  const data = [
    { a: 1, b: { "c d": "x" } },
    { a: "y", e: [{ f: null }] },
  ];
  expect(schemaOf(data).map(({ path, type, count }) => [path, type, count])).toEqual([
    ["$json.a", "number or string", 2],
    ["$json.b", "object", 1],
    ["$json.b['c d']", "string", 1],
    ["$json.e", "list", 1],
    ["$json.e[0].f", "null", 1],
  ]);
  expect(columnsOf(data)).toEqual(["a", "b", "e"]);
});

test("fields beyond the first hundred items are told of, and deep values end", () => {
  const late = [...Array.from({ length: 300 }, () => ({ a: 1 })), { late: true }];
  expect(schemaOf(late).map(({ name, count }) => [name, count])).toEqual([
    ["a", 300],
    ["late", 1],
  ]);
  let deep: unknown = 1;
  for (let level = 0; level < 5_000; level += 1) deep = { deep };
  expect(schemaOf([deep])).toHaveLength(12);
});

test("what is no item has no data", () => {
  expect(dataOf({ json: { json: 1 } })).toEqual({ json: 1 });
  expect(dataOf([1])).toBeUndefined();
  expect(columnsOf([1, null, ["a"]])).toEqual([]);
});
