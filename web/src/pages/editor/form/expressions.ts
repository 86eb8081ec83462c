import type { ParameterKind } from "@/gql/schema";

export function isExpression(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("=");
}

/** A fixed value as an expression that gives the same. */
export function toExpression(value: unknown): string {
  if (value === undefined || value === null || value === "") return "={{  }}";
  if (typeof value === "string") return `=${value}`;
  return `={{ ${JSON.stringify(value)} }}`;
}

/** Kinds of which the value is a text as it was written. */
const TEXTS: ReadonlySet<ParameterKind> = new Set(["TEXT", "LONG_TEXT", "CODE", "JSON", "DATE_TIME", "COLOR"]);
/** Kinds of which the value is never a text. */
const SHAPES: ReadonlySet<ParameterKind> = new Set([
  "STRUCTURE",
  "COLLECTION",
  "LIST",
  "ASSIGNMENTS",
  "CONDITIONS",
  "MULTI_OPTIONS",
]);

/** An expression as the fixed value that it is written as, for a field of a kind. */
export function toFixed(expression: string, kind: ParameterKind): unknown {
  const text = expression.slice(1);
  const inner = /^\s*\{\{([\s\S]*)\}\}\s*$/.exec(text)?.[1]?.trim();
  if (inner === "") return undefined;
  if (TEXTS.has(kind)) return text;
  try {
    return JSON.parse(inner ?? text) as unknown;
  } catch {
    return SHAPES.has(kind) ? undefined : text;
  }
}
