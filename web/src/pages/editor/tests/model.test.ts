import { describe, expect, it } from "vitest";
import { changesInWords, stepBetween } from "../model/changes";
import { copyNodes, duplicateNodes, pasteNodes } from "../model/clipboard";
import { type Definition, type WorkflowNode, edgesOf, freshName, readDefinition } from "../model/definition";
import { connect, disconnect, insertInto, moveNodes, removeNodes, renameNode, setPins } from "../model/edit";
import { begin, record, redo, undo } from "../model/history";
import { diffDefinitions } from "../model/json-diff";
import { mergeDefinitions } from "../model/merge";
import { edgesByNode, portsOf } from "../model/ports";
import { referencedNodes, renameInScript } from "../model/references";
import { neighbour, nodesBefore, outline } from "../model/walk";

function node(
  name: string,
  x: number,
  parameters: Record<string, unknown> = {},
  type = "n8n-nodes-base.set",
): WorkflowNode {
  return { id: `id of ${name}`, name, type, typeVersion: 1, position: [x, 0], parameters };
}

function chain(...names: string[]): Definition {
  let definition: Definition = {
    name: "W",
    nodes: names.map((name, place) => node(name, place * 200)),
    connections: {},
  };
  for (const [place, target] of names.entries()) {
    const source = names[place - 1];
    if (source !== undefined) definition = connect(definition, main(source, target));
  }
  return definition;
}

function main(source: string, target: string, sourceIndex = 0, targetIndex = 0) {
  return { source, sourceIndex, target, targetIndex, kind: "main" };
}

function links(definition: Definition): string[] {
  return edgesOf(definition).map((edge) => `${edge.source}>${edge.target}`);
}

describe("workflow files", () => {
  it("are read whatever is missing in them, and nothing else is", () => {
    const read = readDefinition({
      nodes: [{ name: "A", type: "t", position: [1] }],
      connections: { A: { main: [null, "x"] } },
    });
    expect(read?.nodes[0]).toMatchObject({ name: "A", typeVersion: 1, position: [1, 0], parameters: {} });
    expect(read?.connections).toEqual({ A: { main: [null, null] } });
    for (const other of [null, 3, "text", [], {}, { nodes: [3] }, { nodes: [{ name: "A" }] }])
      expect(readDefinition(other)).toBeUndefined();
  });

  it("give each node a name of its own", () => {
    const definition = chain("Set", "Set1");
    expect(freshName(definition, "Set")).toBe("Set2");
    expect(freshName(definition, "Code")).toBe("Code");
  });
});

describe("renaming", () => {
  it("changes every way in which expressions speak of a node, and nothing that only looks like it", () => {
    const script = `$('Old').item, $("Old").first(), $node["Old"].json, $node.Old.json, $items('Old'), $('Older'), 'Old'`;
    expect(renameInScript(script, "Old", "New's")).toBe(
      `$('New\\'s').item, $("New's").first(), $node["New's"].json, $node["New's"].json, $items('New\\'s'), $('Older'), 'Old'`,
    );
    expect(renameInScript(String.raw`$('It\'s').item`, "It's", "B")).toBe(`$('B').item`);
  });

  it("reaches connections, pinned items, nested expressions and scripts, and keeps fixed texts", () => {
    let definition = chain("A", "B", "C");
    definition = { ...definition, pinData: { B: [{ json: {} }] } };
    definition = {
      ...definition,
      nodes: [
        ...definition.nodes,
        node("D", 600, {
          list: [{ value: "={{ $('B').item.json.x }}" }],
          text: "$('B')",
          jsCode: "return $('B').all()",
        }),
      ],
    };
    const { definition: renamed, name } = renameNode(definition, "B", "  Bee ");
    expect(name).toBe("Bee");
    expect(links(renamed)).toEqual(["A>Bee", "Bee>C"]);
    expect(renamed.pinData).toEqual({ Bee: [{ json: {} }] });
    expect(renamed.nodes[3]?.parameters).toEqual({
      list: [{ value: "={{ $('Bee').item.json.x }}" }],
      text: "$('B')",
      jsCode: "return $('Bee').all()",
    });
    // What does not speak of it is the same object, so that it is not drawn again.
    expect(renamed.nodes[0]).toBe(definition.nodes[0]);
    expect(renameNode(definition, "B", "A").name).toBe("A1");
    expect(renameNode(definition, "B", " ").name).toBe("B");
  });

  it("finds the nodes that a value speaks of", () => {
    expect([...referencedNodes({ a: "={{ $('X').item }}", b: ["=$node.Y"] })]).toEqual(["X", "Y"]);
  });
});

describe("edits", () => {
  it("connect once, and take away what was asked for alone", () => {
    const definition = chain("A", "B", "C");
    expect(connect(definition, main("A", "B"))).toBe(definition);
    const more = connect(definition, main("A", "C", 1, 2));
    expect(more.connections.A?.main).toEqual([
      [{ node: "B", type: "main", index: 0 }],
      [{ node: "C", type: "main", index: 2 }],
    ]);
    expect(links(disconnect(more, (edge) => edge.sourceIndex === 1))).toEqual(["A>B", "B>C"]);
    expect(disconnect(chain("A", "B"), () => true).connections).toEqual({});
  });

  it("join around a node that is taken out, and forget its pinned items", () => {
    const definition = setPins(chain("A", "B", "C"), "B", [{ json: {} }]);
    const removed = removeNodes(definition, new Set(["B"]));
    expect(links(removed)).toEqual(["A>C"]);
    expect(removed.pinData).toEqual({});
    expect(links(removeNodes(chain("A", "B", "C"), new Set(["B", "C"])))).toEqual([]);
  });

  it("put a node into a connection", () => {
    const definition = { ...chain("A", "C"), nodes: [...chain("A", "C").nodes, node("B", 100)] };
    expect(links(insertInto(definition, main("A", "C"), "B")).sort()).toEqual(["A>B", "B>C"]);
  });

  it("move nodes by steps", () => {
    const moved = moveNodes(chain("A", "B"), new Set(["B"]), 20, -20);
    expect(moved.nodes.map((one) => one.position)).toEqual([
      [0, 0],
      [220, -20],
    ]);
  });
});

describe("the clipboard", () => {
  it("brings nodes in under free names, with their connections and references", () => {
    const definition = {
      ...chain("A", "B"),
      nodes: [node("A", 0), node("B", 200, { v: "={{ $('A').item.json.x }}" })],
    };
    const pasted = pasteNodes(definition, copyNodes(definition, new Set(["A", "B"])), { x: 0, y: 300 });
    expect(pasted?.names).toEqual(["A1", "B1"]);
    expect(links(pasted?.definition ?? definition)).toEqual(["A>B", "A1>B1"]);
    expect(pasted?.definition.nodes[3]).toMatchObject({
      name: "B1",
      position: [200, 300],
      parameters: { v: "={{ $('A1').item.json.x }}" },
    });
    expect(new Set(pasted?.definition.nodes.map((one) => one.id)).size).toBe(4);
  });

  it("gives webhooks ids of their own, and takes nothing that is no workflow", () => {
    const hook = { ...node("Hook", 0), webhookId: "one" };
    const definition: Definition = { name: "", nodes: [hook], connections: {} };
    expect(duplicateNodes(definition, new Set(["Hook"]))?.definition.nodes[1]?.webhookId).not.toBe("one");
    for (const text of ["", "hello", "{}", "[1]", '{"nodes":[]}', '{"nodes":[{"name":1}]}'])
      expect(pasteNodes(definition, text, { x: 0, y: 0 })).toBeUndefined();
  });
});

describe("history", () => {
  it("goes back and forth, and takes letters of one field for one step", () => {
    let history = begin("");
    for (const text of ["a", "ab", "abc"]) history = record(history, text, "field");
    history = record(history, "other");
    expect(undo(history).present).toBe("abc");
    expect(undo(undo(history)).present).toBe("");
    expect(redo(undo(undo(history))).present).toBe("abc");
    expect(undo(begin("x")).present).toBe("x");
    expect(record(undo(history), "new").future).toEqual([]);
  });
});

describe("two people", () => {
  it("have what both did in one workflow", () => {
    const base = chain("A", "B");
    const mine = renameNode(base, "B", "Mine").definition;
    const theirs = connect({ ...base, nodes: [...base.nodes, node("C", 400)] }, main("B", "C"));
    const { definition, disputed } = mergeDefinitions(base, mine, theirs);
    expect(disputed).toEqual([]);
    expect(definition.nodes.map((one) => one.name)).toEqual(["A", "Mine", "C"]);
    expect(links(definition).sort()).toEqual(["A>Mine", "Mine>C"]);
  });

  it("are told of what both changed, and of what was taken away", () => {
    const base = chain("A", "B");
    const own = moveNodes(base, new Set(["A"]), 10, 0);
    const other = removeNodes(moveNodes(base, new Set(["A"]), 0, 10), new Set(["B"]));
    const merged = mergeDefinitions(base, own, other);
    expect(merged.disputed).toEqual(["A"]);
    expect(merged.definition.nodes.map((one) => [one.name, one.position])).toEqual([["A", [10, 0]]]);
    expect(merged.definition.connections).toEqual({});
  });
});

describe("what is saved", () => {
  it("is the narrowest command", () => {
    const base = chain("A", "B");
    expect(stepBetween(base, { ...base, nodes: [...base.nodes] }).kind).toBe("none");
    expect(stepBetween(base, setPins(base, "A", [{ json: { a: 1 } }]))).toEqual({
      kind: "pins",
      node: "A",
      items: [{ json: { a: 1 } }],
    });
    expect(stepBetween(setPins(base, "A", []), base)).toEqual({ kind: "pins", node: "A", items: undefined });
    expect(stepBetween(base, { ...base, settings: { timezone: "UTC" } })).toEqual({
      kind: "settings",
      settings: { timezone: "UTC" },
    });
    expect(stepBetween(base, { ...setPins(base, "A", []), settings: { a: 1 } }).kind).toBe("definition");
    expect(stepBetween(base, moveNodes(base, new Set(["A"]), 1, 1)).kind).toBe("definition");
  });

  it("is told in words and as paths", () => {
    const base = chain("A", "B");
    const after = moveNodes(renameNode(base, "B", "C").definition, new Set(["A"]), 5, 0);
    expect(changesInWords(base, after)).toEqual(["moved “A”", "renamed “B” to “C”", "changed connections"]);
    expect(diffDefinitions(base, moveNodes(base, new Set(["A"]), 5, 0))).toEqual([
      { op: "replace", path: "/nodes/A/position/0", before: 0, after: 5 },
    ]);
  });
});

describe("walking", () => {
  const fork = (() => {
    let definition = chain("A", "B", "D");
    definition = {
      ...definition,
      nodes: [
        ...definition.nodes,
        { ...node("C", 200), position: [200, 100] },
        { ...node("M", 180), position: [180, 200] },
      ],
    };
    definition = connect(definition, main("A", "C", 1));
    return connect(definition, { source: "M", sourceIndex: 0, target: "C", targetIndex: 0, kind: "ai_tool" });
  })();

  it("goes along connections, to siblings and to helpers", () => {
    expect(neighbour(fork, "A", "right")).toBe("B");
    expect(neighbour(fork, "B", "down")).toBe("C");
    expect(neighbour(fork, "C", "up")).toBe("B");
    expect(neighbour(fork, "C", "down")).toBe("M");
    expect(neighbour(fork, "M", "up")).toBe("C");
    expect(neighbour(fork, "D", "left")).toBe("B");
    expect(neighbour(fork, "D", "right")).toBeUndefined();
  });

  it("tells a workflow as a tree, each node once, rings too", () => {
    expect(outline(fork).map((line) => `${"  ".repeat(line.depth)}${line.name}`)).toEqual([
      "A",
      "  B",
      "    D",
      "  C",
      "    M",
    ]);
    const ring = connect(chain("A", "B"), main("B", "A"));
    expect(outline(ring).map((line) => [line.name, line.isAgain])).toEqual([
      ["A", false],
      ["B", false],
      ["A", true],
    ]);
  });

  it("knows what is before a node, also before one that serves another", () => {
    expect(nodesBefore(fork, "D")).toEqual(["B", "A"]);
    expect(nodesBefore(fork, "M")).toEqual(["A"]);
    expect(nodesBefore(connect(chain("A", "B"), main("B", "A")), "A")).toEqual(["B"]);
  });
});

describe("ports", () => {
  const told = (
    inputs: number,
    outputs: number,
    serves: string[] = [],
    takes: string[] = [],
    outputNames: string[] = [],
  ) => ({
    ports: { inputs, outputs, outputNames },
    helperPorts: { serves, takes: takes.map((kind) => ({ kind })) },
  });
  const type = told(1, 1);

  it("follow parameters, connections and the way errors go", () => {
    const portsFor = () => told(1, 3, [], [], ["big", "", "else"]);
    expect(portsOf(node("S", 0), { ...type, portsFor }, []).outputs).toEqual(["big", "1", "else"]);
    expect(portsOf({ ...node("A", 0), onError: "continueErrorOutput" }, type, []).outputs).toEqual(["", "error"]);
    const edges = edgesByNode([{ id: "", ...main("X", "A", 3, 2) }]);
    expect(portsOf(node("A", 0), type, edges.get("A") ?? []).inputs).toBe(3);
    expect(portsOf(node("X", 0), type, edges.get("X") ?? []).outputs).toEqual(["0", "1", "2", "3"]);
  });

  it("are those that the server tells of the node, else of its type", () => {
    const named = told(1, 2, [], [], ["done", "loop"]);
    expect(portsOf(node("L", 0), named, []).outputs).toEqual(["done", "loop"]);
    const portsFor = () => told(1, 2, [], [], ["loop", "done"]);
    expect(portsOf(node("L", 0), { ...named, portsFor }, []).outputs).toEqual(["loop", "done"]);
    const helped = { ...type, ...told(1, 1, [], ["ai_languageModel"]) };
    expect(portsOf(node("A", 0), helped, []).takes).toEqual(["ai_languageModel"]);
    const attached = { ...helped, portsFor: () => told(0, 0, ["ai_tool"], ["ai_embedding"]) };
    expect(portsOf(node("A", 0), attached, [])).toEqual({
      inputs: 0,
      outputs: [],
      takes: ["ai_embedding"],
      serves: ["ai_tool"],
    });
  });

  it("of a type that nobody knows are those that connections use", () => {
    const tool = { id: "", source: "T", sourceIndex: 0, target: "A", targetIndex: 0, kind: "ai_tool" };
    expect(portsOf(node("T", 0, {}, "x.unknown"), undefined, [tool])).toEqual({
      inputs: 0,
      outputs: [],
      takes: [],
      serves: ["ai_tool"],
    });
    expect(portsOf(node("A", 0, {}, "x.unknown"), undefined, [tool])).toEqual({
      inputs: 1,
      outputs: [""],
      takes: ["ai_tool"],
      serves: [],
    });
  });
});
