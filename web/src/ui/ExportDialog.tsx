import { useEffect, useRef, useState } from "react";
import { Button } from "./Button";
import { type CsvColumn, csvLine } from "./csv";
import { Dialog } from "./Dialog";
import { download } from "./download";
import { Field, Select } from "./Field";
import { Progress } from "./States";

export interface ExportPart<R> {
  rows: readonly R[];
  /** How much of it is read, from 0 to 1. */
  share?: number;
}

export interface ExportDialogProps<R> {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  /** What will be in the file. */
  children: React.ReactNode;
  /** Without its ending. */
  fileName: string;
  /** Reads everything, part by part, until it is told to stop. */
  read: (signal: AbortSignal) => AsyncIterable<ExportPart<R>>;
  columns: readonly CsvColumn<R>[];
  /** What a line of JSON Lines holds; the row itself where it is absent. */
  json?: (row: R) => unknown;
}

type Format = "jsonl" | "csv";
type State =
  | { kind: "asking" }
  | { kind: "reading"; count: number; share: number | undefined }
  | { kind: "done"; count: number }
  | { kind: "failed"; count: number; message: string };

/** Puts a list of any length into a file, page by page. */
export function ExportDialog<R>(props: ExportDialogProps<R>) {
  return props.isOpen ? <OpenExportDialog {...props} /> : null;
}

function OpenExportDialog<R>({ title, onClose, children, fileName, read, columns, json }: ExportDialogProps<R>) {
  const [format, setFormat] = useState<Format>("jsonl");
  const [state, setState] = useState<State>({ kind: "asking" });
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  const start = async () => {
    const controller = new AbortController();
    abort.current = controller;
    const parts: string[] = format === "csv" ? [csvLine(columns.map((column) => column.name))] : [];
    let count = 0;
    setState({ kind: "reading", count, share: 0 });
    try {
      for await (const part of read(controller.signal)) {
        if (controller.signal.aborted) return;
        for (const row of part.rows)
          parts.push(
            format === "csv"
              ? csvLine(columns.map((column) => column.value(row)))
              : `${JSON.stringify(json ? json(row) : row)}\n`,
          );
        count += part.rows.length;
        setState({ kind: "reading", count, share: part.share });
      }
      if (controller.signal.aborted) return;
      const type = format === "csv" ? "text/csv" : "application/x-ndjson";
      download(`${fileName}.${format}`, new Blob(parts, { type }));
      setState({ kind: "done", count });
    } catch (error) {
      if (!controller.signal.aborted)
        setState({ kind: "failed", count, message: error instanceof Error ? error.message : String(error) });
    }
  };
  const stop = () => {
    abort.current?.abort();
    setState({ kind: "asking" });
  };
  const isReading = state.kind === "reading";
  const footer = isReading ? (
    <Button onClick={stop}>Cancel</Button>
  ) : (
    <>
      <Button onClick={onClose}>Close</Button>
      <Button kind="primary" onClick={() => void start()}>
        {state.kind === "done" ? "Once more" : "Write the file"}
      </Button>
    </>
  );
  return (
    <Dialog title={title} isOpen onClose={onClose} size="small" footer={footer}>
      <div className="flex flex-col gap-3 text-sm">
        <div>{children}</div>
        <Field label="Format">
          <Select
            value={format}
            disabled={isReading}
            onChange={setFormat}
            choices={[
              { value: "jsonl", label: "JSON Lines: everything, one object a line" },
              { value: "csv", label: "CSV: for spreadsheets" },
            ]}
          />
        </Field>
        {isReading && <Progress label="How much is read" value={Math.round((state.share ?? 0) * 100)} />}
        <p role="status" className={state.kind === "failed" ? "text-bad" : "text-muted"}>
          {isReading && `${state.count.toLocaleString()} read`}
          {state.kind === "done" &&
            (state.count === 0
              ? "There was nothing to write: the file is empty."
              : `${state.count.toLocaleString()} written.`)}
          {state.kind === "failed" &&
            `It stopped after ${state.count.toLocaleString()}: ${state.message} Nothing was written.`}
        </p>
      </div>
    </Dialog>
  );
}
