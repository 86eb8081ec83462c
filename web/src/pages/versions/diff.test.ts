import { expect, test } from "vitest";
import { changesBetween, diffDefinitions } from "./diff";
import { search } from "./search";

const node = (id: string, name: string, parameters: unknown = {}, x = 0) => ({
  id,
  name,
  type: "n8n-nodes-base.set",
  typeVersion: 3,
  position: [x, 0],
  parameters,
});
const line = (to: string, index = 0) => [[{ node: to, type: "main", index }]];

const OLD = {
  name: "Send",
  nodes: [node("1", "Start"), node("2", "Make", { value: 1, deep: { a: [1, 2] } }), node("3", "Gone")],
  connections: { Start: { main: line("Make") }, Make: { main: line("Gone") } },
  settings: {},
};

test("definitions that say the same differ in nothing", () => {
  expect(diffDefinitions(OLD, structuredClone(OLD)).isSame).toBe(true);
  expect(diffDefinitions(undefined, undefined).isSame).toBe(true);
});

test("nodes that came, went and changed are told, with what changed in them", () => {
  const diff = diffDefinitions(OLD, {
    ...OLD,
    nodes: [node("1", "Start", {}, 99), node("2", "Make", { value: 2, deep: { a: [1] } }), node("4", "Came")],
    connections: { Start: { main: line("Make") }, Make: { main: line("Came", 1) } },
    settings: { executionOrder: "v1" },
  });
  expect(diff.nodes).toEqual([
    {
      kind: "changed",
      name: "Make",
      type: "n8n-nodes-base.set",
      changes: [
        { op: "replace", path: "/parameters/value", before: 1, after: 2 },
        { op: "remove", path: "/parameters/deep/a/1", before: 2 },
      ],
    },
    { kind: "added", name: "Came", type: "n8n-nodes-base.set", changes: [] },
    { kind: "removed", name: "Gone", type: "n8n-nodes-base.set", changes: [] },
  ]);
  expect(diff.movedCount).toBe(1);
  expect(diff.addedLines).toEqual([{ from: "Make", to: "Came", detail: "input 2" }]);
  expect(diff.removedLines).toEqual([{ from: "Make", to: "Gone", detail: "" }]);
  expect(diff.rest).toEqual([{ op: "add", path: "/settings/executionOrder", after: "v1" }]);
});

test("a node that was renamed is one change, and its lines are the same", () => {
  const diff = diffDefinitions(OLD, {
    ...OLD,
    nodes: [node("1", "Start"), { ...node("2", "Make it"), parameters: OLD.nodes[1]?.parameters }, node("3", "Gone")],
    connections: { Start: { main: line("Make it") }, "Make it": { main: line("Gone") } },
  });
  expect(diff.nodes).toEqual([
    {
      kind: "changed",
      name: "Make it",
      was: "Make",
      type: "n8n-nodes-base.set",
      changes: [{ op: "replace", path: "/name", before: "Make", after: "Make it" }],
    },
  ]);
  expect([diff.addedLines, diff.removedLines]).toEqual([[], []]);
});

test("a node that was made anew under the same name is the same one", () => {
  const anew = { ...OLD, nodes: OLD.nodes.map((one) => ({ ...one, id: `new ${one.id}` })) };
  expect(diffDefinitions(OLD, anew).isSame).toBe(true);
});

test("what is no definition breaks nothing", () => {
  for (const odd of [null, 7, "text", [], { nodes: "x", connections: [1] }, { nodes: [null, 3, {}] }])
    expect(() => diffDefinitions(odd, OLD)).not.toThrow();
});

test("paths are JSON Pointers", () => {
  expect(changesBetween({ "a/b~c": 1 }, { "a/b~c": 2 })).toEqual([
    { op: "replace", path: "/a~1b~0c", before: 1, after: 2 },
  ]);
  expect(changesBetween({ a: null }, { a: {} })).toEqual([{ op: "replace", path: "/a", before: null, after: {} }]);
});

test("an address names the draft or versions", () => {
  expect(search({ left: "3", right: "draft", show: "definition" })).toEqual({
    left: 3,
    right: "draft",
    show: "definition",
  });
  expect(search({ left: "0", right: "-1", show: "all" })).toEqual({});
});
