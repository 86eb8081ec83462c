import type { DataTableColumnType, DataTableCondition } from "@/gql/schema";

/** What is said of one cell of a row. */
export interface Condition {
  column: string;
  word: Word;
  /** With what it is compared; absent for those that compare with nothing. */
  value?: string;
}

interface Kind {
  means: DataTableCondition;
  /** How people say it. */
  label: string;
  /** Whether it compares with a value. */
  compares: boolean;
  /** The types of columns for which it is offered; all where it is absent. */
  types?: readonly DataTableColumnType[];
}

/** The words of conditions as `timeloom table rows --where` has them. */
export const WORDS = {
  eq: { means: "EQ", label: "is", compares: true },
  neq: { means: "NEQ", label: "is not", compares: true },
  ilike: { means: "ILIKE", label: "is like", compares: true, types: ["STRING"] },
  like: { means: "LIKE", label: "is like, with this case", compares: true, types: ["STRING"] },
  gt: { means: "GT", label: "is above", compares: true, types: ["NUMBER", "DATE", "STRING"] },
  gte: { means: "GTE", label: "is at least", compares: true, types: ["NUMBER", "DATE", "STRING"] },
  lt: { means: "LT", label: "is below", compares: true, types: ["NUMBER", "DATE", "STRING"] },
  lte: { means: "LTE", label: "is at most", compares: true, types: ["NUMBER", "DATE", "STRING"] },
  isEmpty: { means: "IS_EMPTY", label: "is empty", compares: false },
  isNotEmpty: { means: "IS_NOT_EMPTY", label: "is not empty", compares: false },
  isTrue: { means: "IS_TRUE", label: "is true", compares: false, types: ["BOOLEAN"] },
  isFalse: { means: "IS_FALSE", label: "is false", compares: false, types: ["BOOLEAN"] },
} as const satisfies Record<string, Kind>;

export type Word = keyof typeof WORDS;

/** Most conditions that the server takes. */
export const CONDITIONS_MAX = 50;

/** Reads `orders gte 3`; `undefined` where it is no condition. */
export function conditionOf(text: string): Condition | undefined {
  const [, column, word, rest] = /^\s*(\S+)\s+(\S+)(?:\s+([\s\S]*))?$/.exec(text) ?? [];
  if (column === undefined || word === undefined || !Object.hasOwn(WORDS, word)) return undefined;
  const known = word as Word;
  return WORDS[known].compares ? { column, word: known, value: rest ?? "" } : { column, word: known };
}

/** Writes what [`conditionOf`] reads. */
export function textOf({ column, word, value }: Condition): string {
  return value === undefined || value === "" ? `${column} ${word}` : `${column} ${word} ${value}`;
}

/** A condition as the API has it. `is` and `is not` with nothing mean an empty cell. */
export function inputOf({ column, word, value }: Condition) {
  const kind = WORDS[word];
  return { column, condition: kind.means, value: kind.compares && value !== "" ? value : null };
}

/** A condition in words. */
export function wordsOf({ column, word, value }: Condition): string {
  const kind = WORDS[word];
  if (!kind.compares) return `${column} ${kind.label}`;
  return `${column} ${kind.label} ${value === undefined || value === "" ? "empty" : value}`;
}

/** The words that are offered for a column of a type. */
export function wordsFor(type: DataTableColumnType): { value: Word; label: string }[] {
  return (Object.entries(WORDS) as [Word, Kind][])
    .filter(([, kind]) => kind.types === undefined || kind.types.includes(type))
    .map(([value, kind]) => ({ value, label: kind.label }));
}
