import { type ChangeEvent, useRef, useState } from "react";
import { change, faultText } from "@/api";
import { Button, Dialog, Progress } from "@/ui";
import type { TableColumn } from "./cells";
import { InsertRows } from "./documents";
import { type FileRow, columnsOf, rowsOfFile } from "./rows-of-file";

/** Files above this hold more than a table can. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** Rows that are sent together. */
const ROWS_TOGETHER = 500;

type State =
  | { kind: "asking"; problem?: string }
  | { kind: "ready"; name: string; rows: readonly FileRow[]; unknown: readonly string[] }
  | { kind: "sending"; sent: number; of: number }
  | { kind: "ended"; sent: number; of: number; problem?: string };

interface ImportRowsProps {
  table: { id: string; name: string; columns: readonly TableColumn[] };
  onClose: () => void;
  /** Some rows came in. */
  onRows: () => void;
}

/** Takes the rows of a file in, part by part: it stops at the first part that is refused, and tells how many came in. */
export function ImportRows({ table, onClose, onRows }: ImportRowsProps) {
  const [state, setState] = useState<State>({ kind: "asking" });
  const picker = useRef<HTMLInputElement>(null);
  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const [file] = event.target.files ?? [];
    if (file) setState(await looked(file, table.columns));
    event.target.value = "";
  };
  const send = async (rows: readonly FileRow[]) => {
    for (let sent = 0; sent < rows.length; sent += ROWS_TOGETHER) {
      setState({ kind: "sending", sent, of: rows.length });
      const part = rows.slice(sent, sent + ROWS_TOGETHER);
      const outcome = await change(
        InsertRows,
        { input: { table: table.id, rows: part } },
        { payload: (data) => data.insertTableRows, failed: "The import stopped", quiet: true },
      );
      if (outcome.kind === "done") continue;
      const problem =
        outcome.kind === "fault"
          ? faultText(outcome.fault)
          : outcome.errors.map((error) => numbered(error.message, sent)).join(" · ");
      setState({ kind: "ended", sent, of: rows.length, problem });
      onRows();
      return;
    }
    setState({ kind: "ended", sent: rows.length, of: rows.length });
    onRows();
  };
  const isSending = state.kind === "sending";
  return (
    <Dialog
      title={`Import rows into ${table.name}`}
      isOpen
      size="small"
      onClose={() => {
        if (!isSending) onClose();
      }}
      footer={
        <>
          <Button disabled={isSending} onClick={onClose}>
            {state.kind === "ended" ? "Close" : "Not now"}
          </Button>
          {state.kind !== "ended" && (
            <Button
              kind="primary"
              isBusy={isSending}
              disabled={state.kind !== "ready" || state.unknown.length > 0 || state.rows.length === 0}
              onClick={() => state.kind === "ready" && void send(state.rows)}
            >
              Import
            </Button>
          )}
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p className="text-muted">
          JSON Lines, a JSON array, or CSV with the columns in its first line. An empty cell of CSV is empty.
        </p>
        {(state.kind === "asking" || state.kind === "ready") && (
          <div>
            <Button data-autofocus onClick={() => picker.current?.click()}>
              {state.kind === "ready" ? "Choose another file" : "Choose a file"}
            </Button>
            <input
              ref={picker}
              type="file"
              hidden
              accept=".csv,.json,.jsonl,.ndjson"
              aria-label="File of rows"
              onChange={(event) => void pick(event)}
            />
          </div>
        )}
        {isSending && <Progress label="How many rows are in" value={state.sent} max={state.of} />}
        <div role="status">
          <Told state={state} columns={table.columns} />
        </div>
      </div>
    </Dialog>
  );
}

function Told({ state, columns }: { state: State; columns: readonly TableColumn[] }) {
  if (state.kind === "asking") return state.problem === undefined ? null : <p className="text-bad">{state.problem}</p>;
  if (state.kind === "sending")
    return (
      <p>
        {state.sent.toLocaleString()} of {state.of.toLocaleString()} rows are in.
      </p>
    );
  if (state.kind === "ended")
    return (
      <>
        <p>
          {state.sent.toLocaleString()} of {state.of.toLocaleString()} rows came in.
        </p>
        {state.problem !== undefined && <p className="mt-1 text-bad">Then it stopped: {state.problem}</p>}
      </>
    );
  return (
    <>
      <p>
        {state.name} has {state.rows.length.toLocaleString()} rows.
      </p>
      {state.unknown.length > 0 && (
        <p className="mt-1 text-bad">
          The table has no column {state.unknown.slice(0, 10).join(", ")}; it has{" "}
          {columns.map((column) => column.name).join(", ")}. Add the column, or take it out of the file.
        </p>
      )}
    </>
  );
}

/** What is in a file. */
async function looked(file: File, columns: readonly TableColumn[]): Promise<State> {
  if (file.size > FILE_BYTES_MAX)
    return { kind: "asking", problem: "The file has more than 64 MiB, which no table holds: send it in parts." };
  const found = rowsOfFile(file.name, await file.text());
  if ("problem" in found) return { kind: "asking", problem: found.problem };
  const known = new Set(columns.map((column) => column.name));
  const unknown = columnsOf(found.rows).filter((column) => !known.has(column));
  return { kind: "ready", name: file.name, rows: found.rows, unknown };
}

/** A refusal counts rows in its part, people in the file, from 1. */
function numbered(message: string, before: number): string {
  return message.replace(/^row (\d+): /, (_, row: string) => `row ${Number(row) + before + 1}: `);
}
