import { isRecord } from "@/parts/records";
import type { Parameter } from "../catalogue";
import { type WorkflowNode } from "../model/definition";
import { isSame } from "../model/merge";
import { isExpression } from "./expressions";

/** What counts is asked by these parts of a parameter alone. */
export type Shown = Pick<Parameter, "name" | "default" | "versions" | "shownWhen"> & {
  fields?: readonly Shown[] | null;
};

type Condition = Parameter["shownWhen"][number];

interface Side<P extends Shown> {
  parameters: readonly P[];
  values: unknown;
}

/** Parameters side by side, with what a node says for them. */
export interface Level<P extends Shown = Parameter> {
  version: number;
  /** The node's own parameters: names with a slash before them are of these. */
  top: Side<P>;
  /** Those at hand: the same, or the fields of an entry. */
  here: Side<P>;
}

/** How deep conditions may rest on conditions: no type needs as many, and one that rests on itself ends here. */
const DEPTH_MAX = 8;

export function levelOf<P extends Shown>(node: WorkflowNode, parameters: readonly P[]): Level<P> {
  const top = { parameters, values: node.parameters };
  return { version: node.typeVersion, top, here: top };
}

/** The fields of an entry below a level. */
export function within<P extends Shown>(level: Level<P>, fields: readonly P[], entry: unknown): Level<P> {
  return { ...level, here: { parameters: fields, values: entry } };
}

/** The parameters that count. */
export function shownOf<P extends Shown>(level: Level<P>): P[] {
  return level.here.parameters.filter((parameter) => isShown(level, parameter));
}

/** Whether a parameter, or a credential, of these versions and conditions counts. */
export function isShown(level: Level<Shown>, what: Pick<Shown, "versions" | "shownWhen">, depth = 0): boolean {
  return what.versions.includes(level.version) && what.shownWhen.every((condition) => holds(level, condition, depth));
}

function holds(level: Level<Shown>, { parameter, values }: Condition, depth: number): boolean {
  if (depth === DEPTH_MAX) return false;
  if (parameter.startsWith("/")) return has({ ...level, here: level.top }, parameter.slice(1), values, depth);
  return has(level, parameter, values, depth);
}

/** Whether what is at a path is one of these values: only of a parameter that counts itself. */
function has(level: Level<Shown>, path: string, values: readonly unknown[], depth: number): boolean {
  const [name = "", ...rest] = path.split(".");
  const parameter = level.here.parameters.find((one) => one.name === name && isShown(level, one, depth + 1));
  if (!parameter) return false;
  const said = isRecord(level.here.values) ? level.here.values[name] : undefined;
  const value = said === undefined ? parameter.default : said;
  if (rest.length > 0) return has(within(level, parameter.fields ?? [], value), rest.join("."), values, depth + 1);
  // What an expression gives is known when it runs: what may count is shown.
  return isExpression(value) || values.some((one) => isSame(one, value));
}
