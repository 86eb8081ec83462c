import { isRecord } from "@/parts/records";

/** What an expression can see, by real items of a run where there is one. */
export interface Sight {
  /** The first item that comes into the node. */
  json: unknown;
  /** Nodes before it, the nearest first, each with its first item. */
  nodes: readonly { name: string; json: unknown }[];
}

export interface Completion {
  label: string;
  /** What is written in place of what is there. */
  insert: string;
  /** What it is, or the value that it has in the run. */
  detail: string;
  /** How many letters back from its end the cursor stands. */
  back?: number;
  /** How many letters before the replaced text it takes away, such as the dot where brackets take its place. */
  eats?: number;
}

export interface Completions {
  /** From where to where the text is replaced. */
  from: number;
  to: number;
  options: Completion[];
}

const NONE: Completions = { from: 0, to: 0, options: [] };
const OPTIONS_MAX = 60;

const ROOTS: readonly Completion[] = [
  { label: "$json", insert: "$json", detail: "data of the current item" },
  { label: "$('…')", insert: "$('')", detail: "an earlier node", back: 2 },
  { label: "$input", insert: "$input", detail: "the node's input" },
  { label: "$now", insert: "$now", detail: "this moment, a Luxon DateTime" },
  { label: "$today", insert: "$today", detail: "today at midnight" },
  { label: "$itemIndex", insert: "$itemIndex", detail: "which item it is; 0 is the first" },
  { label: "$runIndex", insert: "$runIndex", detail: "which run of the node it is" },
  { label: "$binary", insert: "$binary", detail: "attachments of the current item" },
  { label: "$execution", insert: "$execution", detail: "about the execution" },
  { label: "$workflow", insert: "$workflow", detail: "about the workflow" },
  { label: "$prevNode", insert: "$prevNode", detail: "from where the input came" },
  { label: "$vars", insert: "$vars", detail: "variables of the deployment" },
  { label: "$env", insert: "$env", detail: "allowed variables of the environment" },
  { label: "$if", insert: "$if()", detail: "one of two values", back: 1 },
  { label: "$ifEmpty", insert: "$ifEmpty()", detail: "a value, or another one where it is empty", back: 1 },
  { label: "$jmespath", insert: "$jmespath()", detail: "a JMESPath query", back: 1 },
  { label: "DateTime", insert: "DateTime", detail: "Luxon's DateTime" },
];

const DATES: readonly [string, string][] = [
  ["toISO()", "as ISO text"],
  ["toFormat()", "as text of a format"],
  ["toMillis()", "as milliseconds"],
  ["plus()", "later"],
  ["minus()", "earlier"],
  ["startOf()", "where a unit begins"],
  ["year", "the year"],
  ["month", "the month"],
  ["day", "the day"],
  ["hour", "the hour"],
  ["weekday", "1 is Monday"],
];

const FIXED: Readonly<Record<string, readonly [string, string][]>> = {
  $input: [
    ["item", "the current item"],
    ["all()", "all items"],
    ["first()", "the first item"],
    ["last()", "the last item"],
  ],
  $execution: [
    ["id", "its id"],
    ["mode", "manual or production"],
    ["resumeUrl", "where a waiting one goes on"],
  ],
  $workflow: [
    ["id", "its id"],
    ["name", "its name"],
    ["active", "whether it takes calls"],
  ],
  $prevNode: [
    ["name", "its name"],
    ["outputIndex", "from which output"],
    ["runIndex", "from which run"],
  ],
  $now: DATES,
  $today: DATES,
  DateTime: [
    ["fromISO()", "reads an ISO text"],
    ["fromFormat()", "reads a text of a format"],
    ["fromMillis()", "reads milliseconds"],
  ],
};

const OF_NODE: readonly [string, string][] = [
  ["item", "the item from which the current one was made"],
  ["first()", "its first item"],
  ["last()", "its last item"],
  ["all()", "all its items"],
  ["isExecuted", "whether it ran"],
];

/** What may come at the cursor of an expression. */
export function completionsAt(text: string, caret: number, sight: Sight): Completions {
  const before = text.slice(0, caret);
  if (!isWithinBraces(before)) return braces(before, caret);
  const node = /\$\(\s*(["'])((?:(?!\1).)*)$/.exec(before);
  if (node) return nodeNames(node, text, caret, sight);
  const path =
    /((?:\$\(\s*(?:"[^"]*"|'[^']*')\s*\)|[\p{ID_Start}$_][\p{ID_Continue}$]*)(?:\?{0,1}\.[\p{ID_Continue}$]+(?:\(\))?|\[(?:"[^"]*"|'[^']*'|\d+)\])*)\??\.([\p{ID_Continue}$]*)$/u.exec(
      before,
    );
  if (path) return fields(path[1] ?? "", path[2] ?? "", caret, sight);
  const word = /(?:^|[^\p{ID_Continue}$.])((?:\$|\p{ID_Start})[\p{ID_Continue}$]*|)$/u.exec(before)?.[1];
  if (word === undefined) return NONE;
  const options = [...ROOTS, ...sight.nodes.map((one) => nodeRoot(one))];
  return found(options, word, caret - word.length, caret);
}

function nodeRoot({ name, json }: Sight["nodes"][number]): Completion {
  const call = `$(${quote(name)})`;
  return { label: call, insert: `${call}.item.json`, detail: shortValue(json) };
}

/** Whether the cursor is in a `{{ }}`. */
function isWithinBraces(before: string): boolean {
  return before.lastIndexOf("{{") > before.lastIndexOf("}}");
}

function braces(before: string, caret: number): Completions {
  const open = /\{?$/.exec(before)?.[0] ?? "";
  if (open === "" && before.trim() !== "" && before.trim() !== "=") return NONE;
  const insert = "{{  }}";
  return {
    from: caret - open.length,
    to: caret,
    options: [{ label: "{{ }}", insert, detail: "JavaScript goes in here", back: 3 }],
  };
}

function nodeNames(match: RegExpExecArray, text: string, caret: number, sight: Sight): Completions {
  const typed = match[2] ?? "";
  const quoteMark = match[1] ?? "'";
  const isClosed = text[caret] === quoteMark;
  const options = sight.nodes.map(({ name, json }) => ({
    label: name,
    insert: name.replaceAll(quoteMark, `\\${quoteMark}`) + (isClosed ? "" : `${quoteMark})`),
    detail: shortValue(json),
  }));
  return found(options, typed, caret - typed.length, caret);
}

function fields(path: string, typed: string, caret: number, sight: Sight): Completions {
  const from = caret - typed.length;
  const fixed = FIXED[path] ?? (/^\$\((?:"[^"]*"|'[^']*')\)$/.test(path) ? OF_NODE : undefined);
  if (fixed) {
    const options = fixed.map(([label, detail]) => ({
      label,
      insert: label,
      detail,
      back: label.endsWith("()") && /^(plus|minus|from|toF|startOf)/.test(label) ? 1 : 0,
    }));
    return found(options, typed, from, caret);
  }
  if (/(?:\.item|\.first\(\)|\.last\(\)|\.all\(\)\[\d+\])$/.test(path) && valueAt(`${path}.json`, sight) !== undefined)
    return found(
      [
        { label: "json", insert: "json", detail: "its data" },
        { label: "binary", insert: "binary", detail: "its attachments" },
      ],
      typed,
      from,
      caret,
    );
  const value = valueAt(path, sight);
  if (Array.isArray(value)) return found(METHODS_OF_LISTS, typed, from, caret);
  if (typeof value === "string") return found(METHODS_OF_TEXTS, typed, from, caret);
  if (!isRecord(value)) return NONE;
  const options = Object.entries(value).map(([name, one]) =>
    isName(name)
      ? { label: name, insert: name, detail: shortValue(one) }
      : { label: name, insert: `[${quote(name)}]`, detail: shortValue(one), eats: 1 },
  );
  return found(options, typed, from, caret);
}

const METHODS_OF_TEXTS = methods(
  ["toUpperCase()", "toLowerCase()", "trim()", "split('')", "replaceAll('', '')", "includes('')", "length"],
  "of a text",
);
const METHODS_OF_LISTS = methods(
  ["length", "map(one => one)", "filter(one => one)", "join(', ')", "includes('')", "at(0)"],
  "of a list",
);

function methods(names: readonly string[], detail: string): Completion[] {
  return names.map((label) => ({ label, insert: label, detail }));
}

/** The value that a path has in the run. */
export function valueAt(path: string, sight: Sight): unknown {
  let rest = path;
  let value: unknown;
  const node = /^\$\(\s*(?:"([^"]*)"|'([^']*)')\s*\)(?:\.item|\.first\(\)|\.last\(\)|\.all\(\)\[\d+\])\.json/.exec(
    path,
  );
  const input =
    /^(?:\$json|\$input(?:\.item|\.first\(\)|\.last\(\)|\.all\(\)\[\d+\])\.json)(?![\p{ID_Continue}$])/u.exec(path);
  if (node) {
    const name = node[1] ?? node[2];
    value = sight.nodes.find((one) => one.name === name)?.json;
    rest = path.slice(node[0].length);
  } else if (input) {
    value = sight.json;
    rest = path.slice(input[0].length);
  } else return undefined;
  for (const [, field, double, single, index] of rest.matchAll(
    /\??\.([\p{ID_Continue}$]+)|\["([^"]*)"\]|\['([^']*)'\]|\[(\d+)\]/gu,
  )) {
    const name = field ?? double ?? single;
    if (Array.isArray(value) && index !== undefined) value = (value as unknown[])[Number(index)];
    else if (isRecord(value) && name !== undefined) value = value[name];
    else return undefined;
  }
  return value;
}

function found(options: readonly Completion[], typed: string, from: number, to: number): Completions {
  const wanted = typed.toLowerCase();
  const begins = options.filter((one) => one.label.toLowerCase().startsWith(wanted));
  const has = options.filter((one) => !begins.includes(one) && one.label.toLowerCase().includes(wanted));
  const matching = [...begins, ...(wanted === "" ? [] : has)].slice(0, OPTIONS_MAX);
  // What is written out already is no suggestion.
  const isWhole = matching.length === 1 && matching[0]?.insert === typed;
  return { from, to, options: isWhole ? [] : matching };
}

/** The text after a completion was taken, and where the cursor is then. */
export function complete(text: string, { from, to }: Completions, option: Completion): { text: string; caret: number } {
  const start = from - (option.eats ?? 0);
  return {
    text: text.slice(0, start) + option.insert + text.slice(to),
    caret: start + option.insert.length - (option.back ?? 0),
  };
}

export function isName(text: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(text);
}

export function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

/** A value in a few letters. */
export function shortValue(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
