import type { Parameter } from "../catalogue";
import { type WorkflowNode, isRecord } from "../model/definition";

/** A choice of a parameter with a name for people. */
export interface ParameterChoice {
  value: string;
  label: string;
}

/** A parameter as the form shows it. What the catalogue does not tell of one is absent. */
export interface FormParameter {
  name: string;
  label: string;
  kind: string;
  description: string;
  required: boolean;
  choices: readonly ParameterChoice[];
}

/** Parameters of a name and shape that n8n gives many nodes: they have fields of their own in place of JSON. */
const BY_NAME: Readonly<Record<string, string>> = {
  assignments: "ASSIGNMENTS",
  queryParameters: "PAIRS",
  headerParameters: "PAIRS",
  bodyParameters: "PAIRS",
};

/** What the form of a node shows: the catalogue's parameters, and those that the node has beside them. */
export function parametersOf(node: WorkflowNode, known: readonly Parameter[]): FormParameter[] {
  const shown = known.map((parameter) => ({
    name: parameter.name,
    label: labelOf(parameter.name),
    kind: kindFor(parameter.kind, parameter.name, node),
    description: parameter.description,
    required: parameter.required,
    choices: (parameter.options ?? []).map((value) => ({ value, label: labelOf(value) })),
  }));
  const names = new Set(known.map((parameter) => parameter.name));
  const others = Object.keys(node.parameters).filter((name) => !names.has(name));
  return [
    ...shown.filter((parameter) => parameter.required),
    ...shown.filter((parameter) => !parameter.required),
    ...others.map((name) => ({
      name,
      label: labelOf(name),
      kind: kindOfValue(node.parameters[name]),
      description: "The catalogue does not describe it; it stays as it is in the file.",
      required: false,
      choices: [],
    })),
  ];
}

/** The kind of field: that of the catalogue, or a finer one where the shape is known. */
function kindFor(kind: string, name: string, node: WorkflowNode): string {
  const value = node.parameters[name];
  if (isRecord(value) && value.__rl === true) return "RESOURCE";
  if (kind !== "STRUCTURE") return kind;
  if (name === "conditions" && hasConditions(node)) return "CONDITIONS";
  if (name === "rules" && node.type === "n8n-nodes-base.switch" && node.typeVersion >= 3) return "RULES";
  if (name === "assignments" && !(node.type === "n8n-nodes-base.set" && node.typeVersion < 3.3)) return "ASSIGNMENTS";
  const named = name === "assignments" ? undefined : BY_NAME[name];
  return named !== undefined && (value === undefined || isPairs(value)) ? named : kind;
}

function hasConditions({ type, typeVersion }: WorkflowNode): boolean {
  return /\.(if|filter)$/.test(type) && typeVersion >= 2;
}

export function isPairs(value: unknown): value is { parameters: readonly unknown[] } {
  return isRecord(value) && (value.parameters === undefined || Array.isArray(value.parameters));
}

function kindOfValue(value: unknown): string {
  if (typeof value === "boolean") return "BOOLEAN";
  if (typeof value === "number") return "NUMBER";
  if (isRecord(value) && value.__rl === true) return "RESOURCE";
  return typeof value === "string" ? "TEXT" : "STRUCTURE";
}

/** The name of a parameter as people read it: `jsonBody` is “JSON body”. */
export function labelOf(name: string): string {
  if (/^[A-Z]+$/.test(name)) return name;
  const words = name
    .replace(/[_-]+/g, " ")
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .split(" ")
    .map((word) => word.toLowerCase())
    .map((word) => (/^(json|url|html|xml|id|js|ai|http|csv|sql|ip|api)$/.test(word) ? word.toUpperCase() : word));
  const text = words.join(" ");
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function isExpression(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("=");
}

/** A fixed value as an expression that gives the same. */
export function toExpression(value: unknown): string {
  if (value === undefined || value === null || value === "") return "={{  }}";
  if (typeof value === "string") return `=${value}`;
  return `={{ ${JSON.stringify(value)} }}`;
}

/** An expression as the fixed value that it is written as, for a field of a kind. */
export function toFixed(expression: string, kind: string): unknown {
  const text = expression.slice(1);
  const inner = /^\s*\{\{([\s\S]*)\}\}\s*$/.exec(text)?.[1]?.trim();
  if (inner === "") return undefined;
  if (kind === "TEXT" || kind === "CODE") return text;
  try {
    return JSON.parse(inner ?? text) as unknown;
  } catch {
    return kind === "STRUCTURE" ? undefined : text;
  }
}
