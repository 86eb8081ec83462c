import { describe, expect, it, vi } from "vitest";
import { columnsOf, schemaOf } from "@/parts/items/schema";
import { bareItem, readItems } from "../data/schema";
import { type Sight, complete, completionsAt, valueAt } from "../expression/completion";
import type { Definition } from "../model/definition";
import { score } from "../palette/fuzzy";
import { afterEvent, stateInWords, statesOf } from "../run/states";
import { hinderedInWords } from "../dialogs/ProblemList";
import { danglingEdges, withoutDangling } from "../model/dangling";
import { Draft, type Saved, problemsOf } from "../state/draft";

const SIGHT: Sight = {
  json: { name: "Ada", "first name": "A", tags: ["x"], address: { city: "Paris" } },
  nodes: [{ name: "HTTP Request", json: { id: 7, body: { ok: true } } }],
};

function labels(text: string): string[] {
  return completionsAt(text, text.length, SIGHT).options.map((option) => option.label);
}

describe("suggestions", () => {
  it("are real fields of the run's items", () => {
    expect(labels("{{ $json.")).toEqual(["name", "first name", "tags", "address"]);
    expect(labels("{{ $json.address.c")).toEqual(["city"]);
    expect(labels("{{ $json['address'].")).toEqual(["city"]);
    expect(labels("{{ $('HTTP Request').item.json.body.")).toEqual(["ok"]);
    expect(labels("{{ $json.nothing.")).toEqual([]);
    expect(labels("{{ $json.tags.")).toContain("length");
    expect(labels("{{ $input.")).toContain("first()");
    expect(labels("{{ $('HTTP Request').")).toContain("item");
    expect(labels("{{ $('HT")).toEqual(["HTTP Request"]);
    expect(labels("{{ $n")).toContain("$now");
  });

  it("begin an expression, and stay away from plain text", () => {
    expect(labels("")).toEqual(["{{ }}"]);
    expect(labels("Hello ")).toEqual([]);
    expect(labels("{{ $json.name }} and ")).toEqual([]);
  });

  it("are written so that they can be read back", () => {
    const take = (text: string, label: string) => {
      const found = completionsAt(text, text.length, SIGHT);
      const option = found.options.find((one) => one.label === label);
      return option && complete(text, found, option);
    };
    expect(take("{{ $json.", "first name")?.text).toBe("{{ $json['first name']");
    expect(take("{{ $json.na", "name")).toEqual({ text: "{{ $json.name", caret: 13 });
    expect(take("{{ $('", "HTTP Request")?.text).toBe("{{ $('HTTP Request')");
    expect(take("", "{{ }}")).toEqual({ text: "{{  }}", caret: 3 });
    expect(valueAt("$json['first name']", SIGHT)).toBe("A");
    expect(valueAt("$json.tags[0]", SIGHT)).toBe("x");
  });
});

describe("fuzzy search", () => {
  it("finds by beginnings of words, and not what lacks a letter", () => {
    expect(score("HTTP Request", "hr")).toBeGreaterThan(score("Chat Trigger", "hr"));
    expect(score("HTTP Request", "request")).toBeGreaterThan(score("HTTP Request", "rqst"));
    expect(score("Set", "xyz")).toBe(0);
    expect(score("Set", "")).toBeGreaterThan(0);
  });
});

describe("items", () => {
  it("have a schema, columns, and a bare form", () => {
    const items = [
      { a: 1, b: { "c d": "x" } },
      { a: "y", e: [{ f: null }] },
    ];
    expect(schemaOf(items).map((line) => [line.path, line.type])).toEqual([
      ["$json.a", "number or string"],
      ["$json.b", "object"],
      ["$json.b['c d']", "string"],
      ["$json.e", "list"],
      ["$json.e[0].f", "null"],
    ]);
    expect(columnsOf(items)).toEqual(["a", "b", "e"]);
    expect(bareItem({ json: { a: 1 }, pairedItem: { item: 0 } })).toEqual({ a: 1 });
    expect(bareItem({ json: {}, binary: {} })).toEqual({ json: {}, binary: {} });
  });

  it("are taken bare or wrapped, and nothing else", () => {
    expect(readItems([{ a: 1 }, { json: { b: 2 } }])).toEqual({ items: [{ json: { a: 1 } }, { json: { b: 2 } }] });
    expect(readItems([1])).toEqual({ problem: "Items are objects, and entry 1 is none." });
  });
});

describe("states of nodes", () => {
  it("follow events and end where the read model is", () => {
    const run = { node: "A", run_index: 1 };
    let states = statesOf([]);
    states = afterEvent(states, "NodeStarted", { run });
    expect(states.get("A")).toMatchObject({ status: "RUNNING", runs: 2 });
    states = afterEvent(states, "NodeCompleted", { run, outputs: [[{}, {}], []] });
    expect(stateInWords(states.get("A"))).toBe("gave 2 items");
    expect(afterEvent(states, "ExecutionCompleted", {})).toBe(states);
    expect(afterEvent(states, "NodeFailed", "odd")).toBe(states);
  });
});

describe("the draft", () => {
  const definition = (name: string): Definition => ({ name, nodes: [], connections: {} });

  it("saves a moment after a change, and once more what changed meanwhile", async () => {
    vi.useFakeTimers();
    const sent: string[] = [];
    const draft = new Draft(definition("a"), 1, (present) => {
      sent.push(present.name);
      if (sent.length === 1) draft.edit(definition("c"));
      return Promise.resolve({ kind: "saved", revision: sent.length + 1 });
    });
    draft.edit(definition("b"));
    expect(draft.get().state).toBe("changed");
    await vi.advanceTimersByTimeAsync(4_000);
    expect(sent).toEqual(["b", "c"]);
    expect(draft.get()).toMatchObject({ state: "saved", revision: 3 });
    vi.useRealTimers();
  });

  it("keeps what was refused, and says why", async () => {
    const problems = [{ node: "A", field: "parameters.url", message: "is missing" }];
    const draft = new Draft(definition("a"), 1, () => Promise.resolve({ kind: "refused", message: "no", problems }));
    draft.edit(definition("b"));
    expect(await draft.save()).toBe(false);
    expect(draft.get()).toMatchObject({ state: "refused", problems });
    expect(draft.definition.name).toBe("b");
    draft.undo();
    expect(draft.get().state).toBe("saved");
    draft.close();
  });

  it("is saved with what it lacks, and knows that until the next save tells something else", async () => {
    const lack = (message: string) => ({ node: "A", field: "parameters.url", message, severity: "ERROR" as const });
    const answers: Saved[] = [
      { kind: "saved", revision: 2, problems: [lack("is missing")] },
      { kind: "saved", revision: 3 },
      { kind: "saved", revision: 4, problems: [] },
    ];
    const draft = new Draft(
      definition("a"),
      1,
      () => Promise.resolve(answers.shift() ?? { kind: "failed", message: "" }),
      undefined,
      [lack("at first")],
    );
    expect(problemsOf(draft.get())).toEqual([lack("at first")]);
    for (const [name, messages] of [
      ["b", ["is missing"]],
      ["c", ["is missing"]],
      ["d", []],
    ] as const) {
      draft.edit(definition(name));
      expect(await draft.save()).toBe(true);
      expect(draft.get()).toMatchObject({ state: "saved", problems: [] });
      expect(problemsOf(draft.get()).map(({ message }) => message)).toEqual(messages);
    }
    draft.close();
  });

  it("takes over what a draft of others lacks", () => {
    const draft = new Draft(definition("a"), 1, () => Promise.resolve({ kind: "saved", revision: 9 }));
    draft.changedElsewhere(definition("theirs"), 2, "Ada", [{ node: undefined, field: "nodes", message: "none" }]);
    expect(problemsOf(draft.get())).toHaveLength(1);
    draft.close();
  });

  it("shows what others did when nothing is at stake, and asks otherwise", async () => {
    const answers: Saved[] = [{ kind: "saved", revision: 9 }];
    const draft = new Draft(definition("a"), 1, () =>
      Promise.resolve(answers.shift() ?? { kind: "failed", message: "" }),
    );
    draft.changedElsewhere(definition("theirs"), 2, "Ada");
    expect(draft.definition.name).toBe("theirs");
    expect(draft.undo()).toBe(true);
    expect(draft.definition.name).toBe("a");
    draft.changedElsewhere({ ...definition("theirs"), settings: { x: 1 } }, 3, "Ada");
    expect(draft.get()).toMatchObject({ state: "conflict", conflict: { by: "Ada", revision: 3 } });
    expect(await draft.save()).toBe(false);
    draft.settle("both");
    expect(draft.definition).toMatchObject({ name: "a", settings: { x: 1 } });
    await draft.save();
    expect(draft.get()).toMatchObject({ state: "saved", revision: 9 });
    draft.close();
  });

  it("is changed by nobody here while it is fixed, and shows what others do", async () => {
    const draft = new Draft(definition("a"), 1, () => Promise.resolve({ kind: "failed", message: "must not be sent" }));
    draft.edit(definition("b"));
    draft.undo();
    draft.fix(true);
    draft.edit(definition("c"));
    expect(draft.redo()).toBe(false);
    expect(draft.definition.name).toBe("a");
    expect(await draft.save()).toBe(true);
    draft.changedElsewhere(definition("theirs"), 2, "Ada");
    expect(draft.definition.name).toBe("theirs");
    draft.close();
  });

  it("is not surprised by its own events", () => {
    const draft = new Draft(definition("a"), 3, () => Promise.resolve({ kind: "saved", revision: 4 }));
    draft.changedElsewhere(definition("old"), 3, "me");
    expect(draft.definition.name).toBe("a");
    draft.changedElsewhere(definition("a"), 4, "me");
    expect(draft.get()).toMatchObject({ revision: 4, state: "saved" });
  });
});

describe("problems", () => {
  it("say what is refused meanwhile", () => {
    const problem = { node: "A", field: "type", message: "" };
    expect(hinderedInWords(problem)).toBe("not saved");
    expect(hinderedInWords({ ...problem, severity: "WARNING", hinders: [] })).toBe("");
    expect(hinderedInWords({ ...problem, severity: "WARNING", hinders: ["ACTIVATE"] })).toBe("not activated meanwhile");
    const hinders = ["RUN", "PUBLISH", "ACTIVATE"] as const;
    expect(hinderedInWords({ ...problem, severity: "ERROR", hinders })).toBe(
      "not run, published or activated meanwhile",
    );
  });

  it("about connections of nodes that are gone are mended at once", () => {
    const to = (node: string) => [[{ node, type: "main", index: 0 }]];
    const node = (name: string) => ({
      id: name,
      name,
      type: "t",
      typeVersion: 1,
      position: [0, 0] as [number, number],
      parameters: {},
    });
    const draft: Definition = {
      name: "a",
      nodes: [node("A"), node("B")],
      connections: { A: { main: [[...(to("B")[0] ?? []), ...(to("Gone")[0] ?? [])]] }, Lost: { main: to("A") } },
    };
    expect(danglingEdges(draft)).toHaveLength(2);
    expect(withoutDangling(draft).connections).toEqual({ A: { main: to("B") } });
  });
});
