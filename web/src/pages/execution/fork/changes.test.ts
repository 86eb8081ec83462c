import { describe, expect, it } from "vitest";
import { at, changeOf, plainOutputs, pointers } from "./changes";

const draft = { key: "1", kind: "output" as const, node: "Fetch", runIndex: 2, path: "", text: "" };

describe("changeOf", () => {
  it("gives what the API takes", () => {
    expect(changeOf({ ...draft, text: '[[{ "total": 4 }]]' })).toEqual({
      change: { output: { node: "Fetch", runIndex: 2, outputs: [[{ total: 4 }]] } },
    });
    expect(changeOf({ ...draft, kind: "parameter", path: "/url", text: '"x"' })).toEqual({
      change: { parameter: { node: "Fetch", path: "/url", value: "x" } },
    });
    expect(changeOf({ ...draft, kind: "variable", path: " region ", text: "null" })).toEqual({
      change: { variable: { name: "region", value: null } },
    });
  });

  it("says what is wrong", () => {
    const wrong = [
      { ...draft, text: "{" },
      { ...draft, text: "{}" },
      { ...draft, text: "[[1]]" },
      { ...draft, text: "[{}]" },
      { ...draft, node: "", text: "[[{}]]" },
      { ...draft, kind: "parameter" as const, path: "url", text: "1" },
      { ...draft, kind: "variable" as const, text: "1" },
    ];
    for (const one of wrong) expect(changeOf(one)).toHaveProperty("problem");
  });
});

describe("JSON Pointers of parameters", () => {
  const parameters = { url: "x", "a/b": { "~": [1, { deep: true }] }, empty: {} };

  it("lead to what they name", () => {
    expect(pointers(parameters)).toEqual(["/url", "/a~1b/~0/0", "/a~1b/~0/1/deep"]);
    expect(pointers(parameters).map((path) => at(parameters, path))).toEqual(["x", 1, true]);
    expect(at(parameters, "/not/there")).toBeUndefined();
  });
});

it("leaves out of items what only the engine needs", () => {
  const item = { json: { a: 1 }, pairedItem: { item: 0 } };
  expect(plainOutputs([[item], []])).toEqual([[{ a: 1 }], []]);
  expect(plainOutputs(null)).toEqual([[{}]]);
});
