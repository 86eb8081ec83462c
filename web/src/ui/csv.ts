import { jsonText } from "./json-lines";

export interface CsvColumn<R> {
  name: string;
  value: (row: R) => unknown;
}

/** A row of CSV (RFC 4180), with its line end. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvCell).join(",")}\r\n`;
}

function csvCell(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : jsonText(value);
  // Spreadsheets run what begins so as a formula. Numbers are none.
  const safe = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.]+$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
