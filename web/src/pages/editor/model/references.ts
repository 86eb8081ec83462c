import { isRecord } from "@/parts/records";

/** Parameters that hold JavaScript although they are no expressions. */
const CODE = new Set(["jsCode", "functionCode", "code"]);

/** Renames a node wherever expressions and scripts of a parameter speak of it. What does not is the same object as before. */
export function renameReferences<V>(value: V, from: string, to: string, isCode = false): V {
  if (typeof value === "string") {
    return (value.startsWith("=") || isCode ? renameInScript(value, from, to) : value) as V;
  }
  if (Array.isArray(value)) {
    const renamed = (value as unknown[]).map((one) => renameReferences(one, from, to));
    return (renamed.some((one, place) => one !== (value as unknown[])[place]) ? renamed : value) as V;
  }
  if (!isRecord(value)) return value;
  let isChanged = false;
  const renamed: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) {
    renamed[name] = renameReferences(one, from, to, CODE.has(name));
    isChanged ||= renamed[name] !== one;
  }
  return (isChanged ? renamed : value) as V;
}

const QUOTED = `(["'\`])((?:\\\\.|(?!\\1).)*)\\1`;
/** `$('Node')`, `$items('Node')` and `$node['Node']`. */
const BY_TEXT = new RegExp(`(\\$(?:items)?\\(\\s*|\\$node\\[\\s*)${QUOTED.replaceAll("\\1", "\\2")}`, "g");
/** `$node.Node` */
const BY_FIELD = /(\$node)\.([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu;

/** The same for the text of one expression or script. */
export function renameInScript(script: string, from: string, to: string): string {
  return script
    .replace(BY_TEXT, (whole, before: string, quote: string, name: string) =>
      unquoted(name) === from ? `${before}${quote}${quoted(to, quote)}${quote}` : whole,
    )
    .replace(BY_FIELD, (whole, before: string, name: string) =>
      name === from ? `${before}[${JSON.stringify(to)}]` : whole,
    );
}

/** The nodes of which the expressions of a value speak. */
export function referencedNodes(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === "string") {
    for (const [, , , name] of value.matchAll(BY_TEXT)) if (name !== undefined) found.add(unquoted(name));
    for (const [, , name] of value.matchAll(BY_FIELD)) if (name !== undefined) found.add(name);
  } else if (Array.isArray(value) || isRecord(value)) {
    for (const one of Object.values(value)) referencedNodes(one, found);
  }
  return found;
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

function quoted(text: string, quote: string): string {
  return text.replace(/[\\'"`]|\$\{/g, (found) =>
    found === "\\" || found.startsWith(quote) || found === "${" ? `\\${found}` : found,
  );
}
