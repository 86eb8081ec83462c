import type { DataTableColumnType } from "@/gql/schema";

export interface TableColumn {
  name: string;
  type: DataTableColumnType;
}

export const TYPES: readonly { value: DataTableColumnType; label: string }[] = [
  { value: "STRING", label: "string" },
  { value: "NUMBER", label: "number" },
  { value: "BOOLEAN", label: "boolean" },
  { value: "DATE", label: "date" },
];

/** The columns that every row has, and nobody writes. */
export const OWN_COLUMNS: readonly TableColumn[] = [
  { name: "id", type: "NUMBER" },
  { name: "createdAt", type: "DATE" },
  { name: "updatedAt", type: "DATE" },
];

/** What is in a cell, as people read and write it; an empty one is nothing. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A date as it is shown: in UTC, as the table keeps it, without what is zero. */
export function dateText(value: string): string {
  const [day = value, time = ""] = value.replace(/Z$/, "").split("T");
  const shown = time.replace(/\.000$/, "").replace(/:00$/, "");
  return shown === "" || shown === "00:00" ? day : `${day} ${shown}`;
}

/** What a cell becomes by a text: nothing empties it. The server reads it as its column's type, and says where it cannot. */
export function written(text: string): string | null {
  return text === "" ? null : text;
}

/** What is wrong with a name for a column; the server looks at it too. */
export function columnProblem(name: string, others: readonly string[]): string | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) return "A letter, then letters, digits and _.";
  if (name.length > 63) return "At most 63 characters.";
  if (OWN_COLUMNS.some((column) => column.name === name)) return `Every row has ${name} anyway.`;
  return others.includes(name) ? "Another column has this name." : undefined;
}
