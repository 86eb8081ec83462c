/** A JSON Schema, as far as forms are made of it. */
export interface Schema {
  type?: unknown;
  title?: unknown;
  description?: unknown;
  enum?: unknown;
  properties?: unknown;
  required?: unknown;
  items?: unknown;
  additionalProperties?: unknown;
  default?: unknown;
  minimum?: unknown;
  maximum?: unknown;
  minLength?: unknown;
  maxLength?: unknown;
  pattern?: unknown;
}

export type Shape = "text" | "number" | "integer" | "flag" | "choice" | "object" | "list" | "raw";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function asSchema(value: unknown): Schema {
  return isObject(value) ? value : {};
}

/** Words that say more than a form can show: where one of them is, JSON is written. */
const BEYOND = [
  "oneOf",
  "anyOf",
  "allOf",
  "not",
  "if",
  "$ref",
  "$dynamicRef",
  "prefixItems",
  "patternProperties",
  "const",
];

/** Which field a schema gets; `raw` where the form does not understand all of it. */
export function shapeOf(schema: Schema): Shape {
  if (BEYOND.some((word) => word in schema)) return "raw";
  if (Array.isArray(schema.enum)) {
    return schema.enum.length > 0 && schema.enum.every((value) => typeof value === "string") ? "choice" : "raw";
  }
  switch (schema.type) {
    case "string":
      return "text";
    case "number":
      return "number";
    case "integer":
      return "integer";
    case "boolean":
      return "flag";
    case "array":
      return isObject(schema.items) ? "list" : "raw";
    case "object":
      return isObject(schema.properties) &&
        Object.keys(schema.properties).length > 0 &&
        !isObject(schema.additionalProperties)
        ? "object"
        : "raw";
    default:
      return "raw";
  }
}

/** The fields of an object, in the order in which they are written. */
export function fieldsOf(schema: Schema): { name: string; schema: Schema; isRequired: boolean }[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  const properties = isObject(schema.properties) ? schema.properties : {};
  return Object.entries(properties).map(([name, value]) => ({
    name,
    schema: asSchema(value),
    isRequired: required.includes(name),
  }));
}

/** What a form begins with where nothing is there yet. */
export function beginning(schema: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  switch (shapeOf(schema)) {
    case "text":
      return "";
    case "flag":
      return false;
    case "list":
      return [];
    case "object":
      return Object.fromEntries(
        fieldsOf(schema)
          .filter((field) => field.isRequired || field.schema.default !== undefined)
          .map((field) => [field.name, beginning(field.schema)]),
      );
    case "choice":
      return Array.isArray(schema.enum) ? (schema.enum[0] as unknown) : undefined;
    default:
      return undefined;
  }
}

/** What is wrong with a value, by JSON Pointer. The server looks again, at all of the schema. */
export function problemsOf(schema: Schema, value: unknown, at = "", isRequired = true): ReadonlyMap<string, string> {
  const problems = new Map<string, string>();
  const shape = shapeOf(schema);
  if (value === undefined) {
    if (isRequired && shape !== "raw") problems.set(at, "It has to be there.");
    return problems;
  }
  const say = (problem: string | undefined) => {
    if (problem !== undefined) problems.set(at, problem);
  };
  if (shape === "text") say(problemOfText(schema, value));
  else if (shape === "number" || shape === "integer") say(problemOfNumber(schema, value, shape === "integer"));
  else if (shape === "flag") say(typeof value === "boolean" ? undefined : "It has to be true or false.");
  else if (shape === "choice") {
    say((schema.enum as unknown[]).includes(value) ? undefined : "It has to be one of the choices.");
  } else if (shape === "list") {
    if (!Array.isArray(value)) say("It has to be a list.");
    else {
      for (const [place, one] of value.entries())
        for (const found of problemsOf(asSchema(schema.items), one, `${at}/${place}`)) problems.set(...found);
    }
  } else if (shape === "object") {
    if (!isObject(value)) say("It has to be an object.");
    else {
      for (const field of fieldsOf(schema))
        for (const found of problemsOf(field.schema, value[field.name], `${at}/${field.name}`, field.isRequired))
          problems.set(...found);
    }
  }
  return problems;
}

function problemOfText(schema: Schema, value: unknown): string | undefined {
  if (typeof value !== "string") return "It has to be a text.";
  // JSON Schema counts characters, and not the halves that some of them have here.
  const length = Array.from(value).length;
  if (typeof schema.minLength === "number" && length < schema.minLength)
    return length === 0 ? "It has to be there." : `It needs at least ${schema.minLength} characters.`;
  if (typeof schema.maxLength === "number" && length > schema.maxLength)
    return `It may have at most ${schema.maxLength} characters.`;
  return undefined;
}

function problemOfNumber(schema: Schema, value: unknown, isWhole: boolean): string | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return "It has to be a number.";
  if (isWhole && !Number.isInteger(value)) return "It has to be a whole number.";
  if (typeof schema.minimum === "number" && value < schema.minimum) return `It has to be at least ${schema.minimum}.`;
  if (typeof schema.maximum === "number" && value > schema.maximum) return `It may be at most ${schema.maximum}.`;
  return undefined;
}
