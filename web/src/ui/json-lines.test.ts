import { expect, test } from "vitest";
import { jsonLines, jsonMatches } from "./json-lines";

test("what is open has its lines, and what is closed has one", () => {
  const value = { "a/b": [1, { c: null }], text: "<b>" };
  const lines = jsonLines(value, (path) => path === "" || path === "/a~1b");
  expect(lines.map((line) => `${line.path} ${line.name ?? ""} ${line.text}`)).toEqual([
    "  {",
    '/a~1b "a/b" [',
    "/a~1b/0 0 1",
    "/a~1b/1 1 {…}",
    "/a~1b  ]",
    '/text "text" "<b>"',
    "  }",
  ]);
});

test("names and values are found, in their order", () => {
  expect(jsonMatches({ one: "Total", total: [{ x: "a total" }] }, "total")).toEqual(["/one", "/total", "/total/0/x"]);
  expect(jsonMatches({ one: 1 }, "")).toEqual([]);
});

test("values deeper than a stack are shown", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 50_000; level += 1) deep = [deep];
  expect(jsonLines(deep, (_, depth) => depth < 10)).toHaveLength(21);
});
