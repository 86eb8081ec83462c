import { describe, expect, it } from "vitest";
import type { ParameterKind } from "@/gql/schema";
import type { Parameter } from "../catalogue";
import { toExpression, toFixed } from "../form/expressions";
import { defaultInWords, fieldKind, labelOf, parametersOf } from "../form/parameter";
import { isShown, levelOf, shownOf, within } from "../form/shown";
import type { WorkflowNode } from "../model/definition";

const VERSIONS = [1, 2, 3];

function node(parameters: Record<string, unknown>, typeVersion = 3): WorkflowNode {
  return { id: "1", name: "A", type: "n8n-nodes-base.set", typeVersion, position: [0, 0], parameters };
}

function parameter(name: string, kind: ParameterKind = "TEXT", part: Partial<Parameter> = {}): Parameter {
  return {
    name,
    label: name,
    kind,
    description: "",
    placeholder: null,
    names: null,
    default: null,
    required: false,
    language: null,
    versions: VERSIONS,
    shownWhen: [],
    choices: null,
    operators: null,
    resource: null,
    ...part,
  };
}

function when(name: string, ...values: unknown[]) {
  return { shownWhen: [{ parameter: name, values }] };
}

describe("forms", () => {
  it("show what is needed first, and what the catalogue does not know as well", () => {
    const known = [
      parameter("jsonBody"),
      parameter("url", "TEXT", { required: true }),
      parameter("assignments", "ASSIGNMENTS"),
    ];
    const level = levelOf(node({ other: { a: 1 } }), known);
    expect(parametersOf(level).map(({ name, kind }) => [name, kind])).toEqual([
      ["url", "TEXT"],
      ["jsonBody", "TEXT"],
      ["assignments", "ASSIGNMENTS"],
      ["other", "STRUCTURE"],
    ]);
    expect(labelOf("jsonBody")).toBe("JSON body");
    expect(labelOf("genericAuthType")).toBe("Generic auth type");
  });

  it("go from fixed to expression and back without a loss", () => {
    for (const [value, kind] of [
      ["text", "TEXT"],
      ['{"a": 1}', "JSON"],
      [3, "NUMBER"],
      [true, "BOOLEAN"],
      [["a"], "MULTI_OPTIONS"],
      [{ a: [1] }, "STRUCTURE"],
    ] as const)
      expect(toFixed(toExpression(value), kind)).toEqual(value);
    expect(toFixed("={{  }}", "TEXT")).toBeUndefined();
    expect(toFixed("={{ $json.list }}", "MULTI_OPTIONS")).toBeUndefined();
  });

  it("show a value that is of another shape than its field as JSON", () => {
    expect(fieldKind(parameter("a", "LIST"), undefined)).toBe("LIST");
    expect(fieldKind(parameter("a", "LIST"), { values: [] })).toBe("LIST");
    expect(fieldKind(parameter("a", "LIST"), [1])).toBe("STRUCTURE");
    expect(fieldKind(parameter("a", "BOOLEAN"), "yes")).toBe("STRUCTURE");
    expect(fieldKind(parameter("a"), { __rl: true, mode: "id", value: "x" })).toBe("RESOURCE");
  });

  it("tell what applies where nothing is said", () => {
    const choices = [{ value: 1, label: "Monday", description: null }];
    expect(defaultInWords(parameter("a", "OPTIONS", { default: 1, choices }))).toBe("Monday");
    expect(defaultInWords(parameter("a", "MULTI_OPTIONS", { default: [1], choices }))).toBe("Monday");
    expect(defaultInWords(parameter("a", "BOOLEAN", { default: false }))).toBe("off");
    expect(defaultInWords(parameter("a", "NUMBER", { default: 0 }))).toBe("0");
    expect(defaultInWords(parameter("a", "TEXT", { default: "" }))).toBeUndefined();
    expect(defaultInWords(parameter("a"))).toBeUndefined();
  });
});

describe("a parameter counts", () => {
  const PARAMETERS = [
    parameter("mode", "OPTIONS", { default: "simple" }),
    parameter("whole", "BOOLEAN", when("mode", "full")),
    parameter("name", "TEXT", when("whole", true)),
    parameter("old", "TEXT", { ...when("mode", "simple"), versions: [2] }),
    parameter("circle", "TEXT", when("circle", "x")),
    parameter("lost", "TEXT", when("nowhere", "x")),
  ];
  const shown = (typeVersion: number, parameters: Record<string, unknown>) =>
    shownOf(levelOf(node(parameters, typeVersion), PARAMETERS)).map(({ name }) => name);

  it("when its conditions hold by what is said, or by the default", () => {
    expect(shown(1, {})).toEqual(["mode"]);
    expect(shown(3, { mode: "full" })).toEqual(["mode", "whole"]);
    expect(shown(3, { mode: "full", whole: true })).toEqual(["mode", "whole", "name"]);
  });

  it("only when what it rests on counts itself", () => {
    expect(shown(3, { whole: true })).toEqual(["mode"]);
    expect(shown(3, { circle: "x" })).toEqual(["mode"]);
    expect(shown(3, { nowhere: "x" })).toEqual(["mode"]);
  });

  it("in the versions that have it", () => {
    expect(shown(2, {})).toEqual(["mode", "old"]);
    expect(shown(3, {})).toEqual(["mode"]);
  });

  it("when an expression may decide so", () => {
    expect(shown(3, { mode: "={{ $json.mode }}" })).toEqual(["mode", "whole"]);
  });

  it("by the one of several of a name that counts itself", () => {
    const twice = [
      parameter("kind", "OPTIONS", { default: "a", versions: [1] }),
      parameter("kind", "OPTIONS", { default: "b", versions: [2, 3] }),
      parameter("of b", "TEXT", when("kind", "b")),
    ];
    const names = (version: number) => shownOf(levelOf(node({}, version), twice)).map(({ name }) => name);
    expect(names(1)).toEqual(["kind"]);
    expect(names(2)).toEqual(["kind", "of b"]);
  });

  it("within an entry by what stands beside it, and with a slash by the node", () => {
    const fields = [
      parameter("type", "OPTIONS", { default: "x" }),
      parameter("beside", "TEXT", when("type", "y")),
      parameter("of node", "TEXT", when("/mode", "full")),
      parameter("mode", "TEXT"),
    ];
    const names = (mode: string, entry: Record<string, unknown>) =>
      shownOf(within(levelOf(node({ mode }), PARAMETERS), fields, entry)).map(({ name }) => name);
    expect(names("simple", { type: "y" })).toEqual(["type", "beside", "mode"]);
    expect(names("full", { mode: "simple" })).toEqual(["type", "of node", "mode"]);
  });

  it("by a field within another", () => {
    const options = parameter("options", "COLLECTION", { fields: [parameter("deep", "BOOLEAN", { default: false })] });
    const parameters = [options, parameter("a", "TEXT", when("options.deep", true))];
    const names = (said: Record<string, unknown>) => shownOf(levelOf(node(said), parameters)).map(({ name }) => name);
    expect(names({})).toEqual(["options"]);
    expect(names({ options: { deep: true } })).toEqual(["options", "a"]);
  });

  it("and so does a credential", () => {
    const credential = { versions: [3], ...when("mode", "full") };
    expect(isShown(levelOf(node({ mode: "full" }), PARAMETERS), credential)).toBe(true);
    expect(isShown(levelOf(node({}), PARAMETERS), credential)).toBe(false);
    expect(isShown(levelOf(node({ mode: "full" }, 2), PARAMETERS), credential)).toBe(false);
  });
});
