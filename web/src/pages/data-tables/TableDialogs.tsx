import { useNavigate } from "@tanstack/react-router";
import { client, useChange } from "@/api";
import { ConfirmDialog, ExportDialog, type ExportPart } from "@/ui";
import { fileName } from "@/ui/download";
import { OWN_COLUMNS } from "./cells";
import type { TableShown } from "./DataTablePage";
import { ClearTable, DeleteRows, LogHead } from "./documents";
import { cellOf } from "./Grid";
import { ImportRows } from "./ImportRows";
import { RowForm } from "./RowForm";
import type { DataTableSearch } from "./search";
import { AddColumn, DeleteTable, RemoveColumn, Rename } from "./TableChanges";
import { type ShownRows, type TableRow, partOf, questionOf } from "./useTableRows";

/** Rows that are read by one request. */
const EXPORTED_TOGETHER = 500;
/** Rows that are taken out by one request: each is a condition. */
const DELETED_TOGETHER = 50;

/** What is asked about. */
export type Doing =
  { kind: "renameColumn" | "removeColumn"; column: string } | { kind: "deleteRows" | "deleteShown" | "deleteTable" };

interface TableDialogsProps {
  table: TableShown;
  doing: Doing | undefined;
  chosen: ReadonlySet<number>;
  rows: ShownRows;
  search: DataTableSearch;
  open: DataTableSearch["open"];
  onClose: () => void;
  onCloseOpen: () => void;
  onChanged: () => void;
  /** A column got another name, or went. */
  onColumn: (column: string, name?: string) => void;
  onDeleted: () => void;
}

/** What is asked before something is done to a table or its rows. */
export function TableDialogs(props: TableDialogsProps) {
  const { table, doing, chosen, rows, search, open, onClose, onCloseOpen, onChanged, onColumn, onDeleted } = props;
  const navigate = useNavigate();
  const question = questionOf(table.id, search);
  const [remove] = useChange(DeleteRows, {
    payload: (data) => data.deleteTableRows,
    failed: "The rows were not deleted",
  });
  const [clear] = useChange(ClearTable, {
    payload: (data) => data.clearDataTable,
    failed: "The rows were not deleted",
  });
  const deleteChosen = async () => {
    const ids = [...chosen];
    for (let from = 0; from < ids.length; from += DELETED_TOGETHER) {
      const conditions = ids
        .slice(from, from + DELETED_TOGETHER)
        .map((value) => ({ column: "id", condition: "EQ" as const, value }));
      if ((await remove({ input: { table: table.id, conditions, any: true } })).kind !== "done") return false;
    }
    onDeleted();
    onChanged();
    return true;
  };
  const deleteShown = async (reason: string | undefined) => {
    const { conditions, any } = question;
    const outcome =
      conditions.length > 0
        ? await remove({ input: { table: table.id, conditions, any } }, reason)
        : await clear({ input: { table: table.id, reason } });
    onChanged();
    return outcome.kind === "done";
  };
  const columns = [...OWN_COLUMNS.slice(0, 1), ...table.columns, ...OWN_COLUMNS.slice(1)];
  return (
    <>
      {open === "row" && <RowForm table={table} onClose={onCloseOpen} onDone={onChanged} />}
      {open === "import" && <ImportRows table={table} onClose={onCloseOpen} onRows={onChanged} />}
      {open === "column" && <AddColumn table={table} onClose={onCloseOpen} onDone={onChanged} />}
      {open === "rename" && <Rename table={table} onClose={onCloseOpen} onDone={onChanged} />}
      {doing?.kind === "renameColumn" && (
        <Rename table={table} column={doing.column} onClose={onClose} onDone={(name) => onColumn(doing.column, name)} />
      )}
      {doing?.kind === "removeColumn" && (
        <RemoveColumn table={table} column={doing.column} onClose={onClose} onDone={() => onColumn(doing.column)} />
      )}
      {doing?.kind === "deleteTable" && (
        <DeleteTable table={table} onClose={onClose} onDone={() => void navigate({ to: "/data-tables" })} />
      )}
      <ConfirmDialog
        title={chosen.size === 1 ? "Delete the row" : `Delete ${chosen.size} rows`}
        isOpen={doing?.kind === "deleteRows"}
        onClose={onClose}
        confirm="Delete"
        isDangerous
        onConfirm={deleteChosen}
      >
        They are out of {table.name}. They are still seen as of moments before this.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Delete ${(rows.count ?? 0).toLocaleString()} rows`}
        isOpen={doing?.kind === "deleteShown"}
        onClose={onClose}
        confirm="Delete them all"
        isDangerous
        reason="optional"
        onConfirm={deleteShown}
      >
        {question.conditions.length > 0
          ? "All rows that are as the filter says go, those that came meanwhile as well."
          : `${table.name} will be empty.`}{" "}
        They are still seen as of moments before this.
      </ConfirmDialog>
      <ExportDialog<TableRow>
        title={`Export rows of ${table.name}`}
        isOpen={open === "export"}
        onClose={onCloseOpen}
        fileName={fileName(table.name)}
        read={(signal) => everyRow(question, signal)}
        columns={columns.map(({ name }) => ({ name, value: (row) => cellOf(row, name) }))}
        json={(row) => Object.fromEntries(columns.map(({ name }) => [name, cellOf(row, name)]))}
      >
        {question.conditions.length > 0 ? "The rows that are as the filter says" : "All rows"}, in the order in which
        they are shown, with id, createdAt and updatedAt.
      </ExportDialog>
    </>
  );
}

/** Every row that is asked for, part by part: all as of one moment, so that none is left out or told twice. */
async function* everyRow(
  question: ReturnType<typeof questionOf>,
  signal: AbortSignal,
): AsyncGenerator<ExportPart<TableRow>> {
  let asked = question;
  for (let skip = 0, count = 1; skip < count && !signal.aborted; skip += EXPORTED_TOGETHER) {
    if (asked.asOf === undefined && skip === 0) asked = { ...question, asOf: await now() };
    const part = await partOf(asked, skip, EXPORTED_TOGETHER);
    if ("problem" in part) throw new Error(part.problem.message);
    count = part.count;
    yield { rows: part.rows, share: count === 0 ? 1 : Math.min(1, (skip + part.rows.length) / count) };
  }
}

async function now() {
  const { data, error } = await client.query(LogHead, {}, { requestPolicy: "network-only" }).toPromise();
  if (error || !data) throw new Error("The present could not be read: try again.");
  return { position: data.head.position };
}
