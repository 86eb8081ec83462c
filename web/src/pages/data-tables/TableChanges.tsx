import { useState } from "react";
import { useChange } from "@/api";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { ConfirmDialog, Field, Input } from "@/ui";
import { type TableColumn, columnProblem } from "./cells";
import { ColumnFields } from "./CreateTable";
import {
  AddColumn as AddColumnMutation,
  DeleteTable as DeleteTableMutation,
  RemoveColumn as RemoveColumnMutation,
  RenameColumn,
  RenameTable,
} from "./documents";

interface OfTable {
  table: { id: string; name: string; columns: readonly TableColumn[] };
  onClose: () => void;
}

/** Gives a table one more column. */
export function AddColumn({ table, onClose, onDone }: OfTable & { onDone: () => void }) {
  const [column, setColumn] = useState<TableColumn>({ name: "", type: "STRING" });
  const [problem, setProblem] = useState<string>();
  const [add, isBusy] = useChange(AddColumnMutation, {
    payload: (data) => data.addDataTableColumn,
    done: `The column ${column.name} is added`,
    failed: "The column was not added",
    quiet: true,
  });
  const names = table.columns.map((one) => one.name);
  const own = column.name === "" ? undefined : columnProblem(column.name, names);
  const submit = async () => {
    const outcome = await add({ input: { table: table.id, column } });
    if (outcome.kind !== "done") {
      setProblem(problemOf(outcome));
      return;
    }
    onClose();
    onDone();
  };
  return (
    <FormDialog
      title="Add a column"
      submit="Add it"
      isBusy={isBusy}
      isIncomplete={column.name === "" || own !== undefined}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <div className="flex items-start gap-2">
        <ColumnFields
          column={column}
          label="the column"
          problem={own}
          autoFocus
          onChange={(part) => setColumn({ ...column, ...part })}
        />
      </div>
      <p className="text-xs text-muted">It comes last, and is empty in the rows that are there.</p>
    </FormDialog>
  );
}

interface RenameProps extends OfTable {
  /** Which column; the table itself where it is absent. */
  column?: string;
  onDone?: (name: string) => void;
}

/** Gives a table or one of its columns another name. */
export function Rename({ table, column, onClose, onDone }: RenameProps) {
  const [name, setName] = useState(column ?? table.name);
  const [problem, setProblem] = useState<string>();
  const [renameTable, isTableBusy] = useChange(RenameTable, {
    payload: (data) => data.renameDataTable,
    done: `The table is called ${name.trim()} now`,
    failed: "The table was not renamed",
    quiet: true,
  });
  const [renameColumn, isColumnBusy] = useChange(RenameColumn, {
    payload: (data) => data.renameDataTableColumn,
    done: `The column is called ${name.trim()} now`,
    failed: "The column was not renamed",
    quiet: true,
  });
  const others = table.columns.map((one) => one.name).filter((one) => one !== column);
  const own = column === undefined || name === column ? undefined : columnProblem(name.trim(), others);
  const submit = async () => {
    const input = { table: table.id, name: name.trim() };
    const outcome =
      column === undefined ? await renameTable({ input }) : await renameColumn({ input: { ...input, column } });
    if (outcome.kind !== "done") {
      setProblem(problemOf(outcome));
      return;
    }
    onClose();
    onDone?.(input.name);
  };
  return (
    <FormDialog
      title={`Rename ${column ?? table.name}`}
      submit="Rename"
      isBusy={isTableBusy || isColumnBusy}
      isIncomplete={name.trim() === "" || own !== undefined}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field
        label="New name"
        error={own}
        hint="Workflows that name it as it is called now need the new name as well. What is in it stays."
      >
        <Input
          data-autofocus
          value={name}
          maxLength={column === undefined ? 128 : 63}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}

/** Asks, then takes a column out of a table. */
export function RemoveColumn({ table, column, onClose, onDone }: OfTable & { column: string; onDone: () => void }) {
  const [remove] = useChange(RemoveColumnMutation, {
    payload: (data) => data.removeDataTableColumn,
    done: `The column ${column} is removed`,
    failed: "The column was not removed",
  });
  return (
    <ConfirmDialog
      title={`Remove the column ${column}`}
      isOpen
      onClose={onClose}
      confirm="Remove the column"
      isDangerous
      reason="optional"
      onConfirm={async (reason) => {
        const isDone = (await remove({ input: { table: table.id, column, reason } })).kind === "done";
        if (isDone) onDone();
        return isDone;
      }}
    >
      What is in it is out of {table.name}, and workflows that name it fail. It is still seen as of moments before this.
    </ConfirmDialog>
  );
}

interface DeleteProps {
  table: { id: string; name: string; rowCount: number };
  onClose: () => void;
  onDone?: () => void;
}

/** Asks, then deletes a table. */
export function DeleteTable({ table, onClose, onDone }: DeleteProps) {
  const [remove] = useChange(DeleteTableMutation, {
    payload: (data) => data.deleteDataTable,
    done: `${table.name} is deleted`,
    failed: "The table was not deleted",
  });
  return (
    <ConfirmDialog
      title={`Delete ${table.name}`}
      isOpen
      onClose={onClose}
      confirm="Delete the table"
      isDangerous
      reason="optional"
      onConfirm={async (reason) => {
        const isDone = (await remove({ input: { table: table.id, reason } })).kind === "done";
        if (isDone) onDone?.();
        return isDone;
      }}
    >
      The table goes with its {table.rowCount.toLocaleString()} rows, and workflows that use it fail. It is still seen
      as of moments before this.
    </ConfirmDialog>
  );
}
