import { isRecord } from "@/parts/records";
import type { ParameterKind } from "@/gql/schema";
import type { Parameter } from "../catalogue";
import { type Level, shownOf } from "./shown";

/** What a form shows at a level: the parameters that count, and what the file has that the catalogue does not describe. */
export function parametersOf(level: Level): Parameter[] {
  const { parameters, values } = level.here;
  const shown = shownOf(level);
  const names = new Set(parameters.map(({ name }) => name));
  const others = Object.entries(isRecord(values) ? values : {}).filter(([name]) => !names.has(name));
  const isFirst = (parameter: Parameter) => parameter.required && parameter.shownWhen.length === 0;
  return [
    ...shown.filter(isFirst),
    ...shown.filter((parameter) => !isFirst(parameter)),
    ...others.map(([name, value]) => undescribed(name, value, level.version)),
  ];
}

function undescribed(name: string, value: unknown, version: number): Parameter {
  return {
    name,
    label: labelOf(name),
    kind: kindOfValue(value),
    description: "The catalogue does not describe it; it stays as it is in the file.",
    placeholder: null,
    names: null,
    default: null,
    required: false,
    language: null,
    versions: [version],
    shownWhen: [],
    choices: null,
    operators: null,
    resource: null,
  };
}

function kindOfValue(value: unknown): ParameterKind {
  if (typeof value === "boolean") return "BOOLEAN";
  if (typeof value === "number") return "NUMBER";
  if (isResource(value)) return "RESOURCE";
  if (typeof value === "string") return value.includes("\n") ? "LONG_TEXT" : "TEXT";
  return "STRUCTURE";
}

export function isResource(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && value.__rl === true;
}

/** Whether a value has the shape that the field of a kind can show; any other is shown as JSON, so that nothing is lost. */
const FITS: Partial<Record<ParameterKind, (value: unknown) => boolean>> = {
  BOOLEAN: (value) => typeof value === "boolean",
  NUMBER: (value) => typeof value === "number" || typeof value === "string",
  MULTI_OPTIONS: Array.isArray,
  COLLECTION: isRecord,
  LIST: isRecord,
  ASSIGNMENTS: isRecord,
  CONDITIONS: isRecord,
};

/** The kind of field for a value: that of the parameter wherever the value has its shape. */
export function fieldKind({ kind }: Pick<Parameter, "kind">, value: unknown): ParameterKind {
  if (isResource(value)) return "RESOURCE";
  if (value === undefined || value === null) return kind;
  return (FITS[kind]?.(value) ?? true) ? kind : "STRUCTURE";
}

/** A default in words, where there is one that can be said in a few. */
export function defaultInWords({ default: value, choices, kind }: Parameter): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const labelOf = (one: unknown) => choices?.find((choice) => choice.value === one)?.label ?? plain(one);
  if (Array.isArray(value)) return (value as unknown[]).map(labelOf).join(", ");
  if (typeof value === "boolean") return value ? "on" : "off";
  return isRecord(value) && kind !== "JSON" ? undefined : labelOf(value);
}

/** A value as text: texts as they are, anything else as JSON. */
export function plain(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}

/** The name of a parameter as people read it, where the catalogue gives none: `jsonBody` is “JSON body”. */
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
