/** Rows as a file has them: cells by column. */
export type FileRow = Record<string, unknown>;

/** What a file says, or why it says nothing. */
export type FileRows = { rows: FileRow[] } | { problem: string };

/** Reads the rows of a file, as `timeloom table insert` does: JSON Lines, a JSON array, or CSV with columns in its first line. */
export function rowsOfFile(name: string, text: string): FileRows {
  const plain = text.replace(/^\uFEFF/, "");
  return /\.csv$/i.test(name) ? csvRows(plain) : jsonRows(plain);
}

/** The columns that rows name, in the order in which they come. */
export function columnsOf(rows: readonly FileRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

function isRow(value: unknown): value is FileRow {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonRows(text: string): FileRows {
  if (text.trimStart().startsWith("[")) {
    const rows = parsed(text);
    return Array.isArray(rows) && rows.every(isRow) ? { rows } : { problem: "This is no JSON array of objects." };
  }
  const rows: FileRow[] = [];
  for (const [place, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const row = parsed(line);
    if (!isRow(row)) return { problem: `Line ${place + 1} is no JSON object: write one a line.` };
    rows.push(row);
  }
  return { rows };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function csvRows(text: string): FileRows {
  const read = records(text);
  if ("problem" in read) return read;
  const [head, ...lines] = read.records;
  if (head === undefined) return { problem: "There is no first line with the names of columns." };
  const columns = head.cells.map((name) => name.trim());
  const rows: FileRow[] = [];
  for (const { line, cells } of lines) {
    if (cells.length !== columns.length)
      return { problem: `Line ${line} has ${cells.length} cells, the first line names ${columns.length} columns.` };
    const filled = columns.map((column, place) => [column, cells[place] ?? ""] as const);
    rows.push(Object.fromEntries(filled.filter(([, cell]) => cell !== "")));
  }
  return { rows };
}

interface Records {
  /** The line at which each begins, and its cells. */
  records: { line: number; cells: string[] }[];
}

/** The records of CSV as RFC 4180 has it. Empty lines are none. */
function records(text: string): Records | { problem: string } {
  const found: Records["records"] = [];
  let cells: string[] = [];
  let cell = "";
  let line = 1;
  let begunAt = 1;
  let isQuoted = false;
  let wasQuoted = false;
  const end = () => {
    if (cells.length > 0 || cell !== "" || wasQuoted) found.push({ line: begunAt, cells: [...cells, cell] });
    [cells, cell, wasQuoted] = [[], "", false];
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text.charAt(at);
    if (letter === "\n") line += 1;
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (text.charAt(at + 1) === '"') {
        cell += letter;
        at += 1;
      } else isQuoted = false;
    } else if (letter === '"' && cell === "") [isQuoted, wasQuoted] = [true, true];
    else if (letter === ",") {
      cells.push(cell);
      cell = "";
    } else if (letter === "\n") {
      end();
      begunAt = line;
    } else if (letter !== "\r" || text.charAt(at + 1) !== "\n") cell += letter;
  }
  if (isQuoted) return { problem: `The cell in quotation marks in the row of line ${begunAt} does not end.` };
  end();
  return { records: found };
}
