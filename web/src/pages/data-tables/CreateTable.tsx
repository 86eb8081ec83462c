import { useState } from "react";
import { useChange } from "@/api";
import type { DataTableColumnType } from "@/gql/schema";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { Button, Field, Icon, IconButton, Input, Select } from "@/ui";
import { type TableColumn, TYPES, columnProblem } from "./cells";
import { CreateTable as CreateTableMutation } from "./documents";

/** Most columns that the server takes. */
const COLUMNS_MAX = 100;

interface Line extends TableColumn {
  key: number;
}

/** Makes a table with its columns. */
export function CreateTable(props: { isOpen: boolean; onClose: () => void; onMade: (id: string) => void }) {
  return props.isOpen ? <OpenCreateTable {...props} /> : null;
}

function OpenCreateTable({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }) {
  const [name, setName] = useState("");
  const [columns, setColumns] = useState<readonly Line[]>([{ key: 0, name: "", type: "STRING" }]);
  const [isTried, setTried] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [create, isBusy] = useChange(CreateTableMutation, {
    payload: (data) => data.createDataTable,
    done: "The table is made",
    failed: "The table was not made",
    quiet: true,
  });
  const names = columns.map((column) => column.name.trim());
  const problemAt = (place: number) => columnProblem(names[place] ?? "", names.toSpliced(place, 1));
  const change = (key: number, part: Partial<TableColumn>) =>
    setColumns(columns.map((column) => (column.key === key ? { ...column, ...part } : column)));
  const add = () => setColumns([...columns, { key: (columns.at(-1)?.key ?? 0) + 1, name: "", type: "STRING" }]);
  const submit = async () => {
    setTried(true);
    if (columns.some((_, place) => problemAt(place) !== undefined)) return;
    const input = {
      name: name.trim(),
      columns: columns.map(({ type }, place) => ({ name: names[place] ?? "", type })),
    };
    const outcome = await create({ input });
    if (outcome.kind === "done" && outcome.payload.tableId != null) onMade(outcome.payload.tableId);
    else setProblem(problemOf(outcome));
  };
  return (
    <FormDialog
      title="New data table"
      submit="Make it"
      size="normal"
      isBusy={isBusy}
      isIncomplete={name.trim() === "" || names.every((one) => one === "")}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      <Field label="Name">
        <Input data-autofocus value={name} maxLength={128} onChange={(event) => setName(event.target.value)} />
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 text-[13px] font-medium">Columns</legend>
        {columns.map((column, place) => (
          <div key={column.key} className="flex items-start gap-2">
            <ColumnFields
              column={column}
              label={`column ${place + 1}`}
              problem={isTried || column.name !== "" ? problemAt(place) : undefined}
              onChange={(part) => change(column.key, part)}
            />
            <IconButton
              label={`Leave out column ${place + 1}`}
              icon={<Icon name="close" />}
              disabled={columns.length === 1}
              onClick={() => setColumns(columns.filter((one) => one !== column))}
            />
          </div>
        ))}
        <div>
          <Button size="small" disabled={columns.length >= COLUMNS_MAX} onClick={add}>
            <Icon name="plus" /> One more column
          </Button>
        </div>
        <p className="text-xs text-muted">Every row has id, createdAt and updatedAt besides.</p>
      </fieldset>
    </FormDialog>
  );
}

interface ColumnFieldsProps {
  column: TableColumn;
  /** Which one it is, for those who do not see where it stands. */
  label: string;
  problem: string | undefined;
  onChange: (part: { name?: string; type?: DataTableColumnType }) => void;
  autoFocus?: boolean;
}

/** Name and type of a column. */
export function ColumnFields({ column, label, problem, onChange, autoFocus }: ColumnFieldsProps) {
  return (
    <>
      <Field label={`Name of ${label}`} hideLabel error={problem} className="min-w-0 flex-1">
        <Input
          placeholder="name"
          autoComplete="off"
          spellCheck={false}
          maxLength={63}
          data-autofocus={autoFocus}
          value={column.name}
          onChange={(event) => onChange({ name: event.target.value })}
        />
      </Field>
      <Field label={`Type of ${label}`} hideLabel className="w-36 shrink-0">
        <Select value={column.type} choices={TYPES} onChange={(type) => onChange({ type })} />
      </Field>
    </>
  );
}
