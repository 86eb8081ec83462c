import { useState } from "react";
import { useChange } from "@/api";
import { FormDialog, problemOf } from "@/parts/FormDialog";
import { Field, Input, Select, Textarea } from "@/ui";
import { type TableColumn, written } from "./cells";
import { InsertRows } from "./documents";

interface RowFormProps {
  table: { id: string; name: string; columns: readonly TableColumn[] };
  onClose: () => void;
  onDone: () => void;
}

/** Puts one row into a table. */
export function RowForm({ table, onClose, onDone }: RowFormProps) {
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({});
  const [problem, setProblem] = useState<string>();
  const [insert, isBusy] = useChange(InsertRows, {
    payload: (data) => data.insertTableRows,
    done: "The row is in",
    failed: "The row did not come in",
    quiet: true,
  });
  const submit = async () => {
    const row = Object.fromEntries(Object.entries(texts).map(([column, text]) => [column, written(text)]));
    const outcome = await insert({ input: { table: table.id, rows: [row] } });
    if (outcome.kind !== "done") {
      // There is one row only: its number tells nothing.
      setProblem(problemOf(outcome)?.replace(/^row 0: /, ""));
      return;
    }
    onDone();
    onClose();
  };
  return (
    <FormDialog
      title={`New row of ${table.name}`}
      submit="Put it in"
      isBusy={isBusy}
      problem={problem}
      onSubmit={() => void submit()}
      onClose={onClose}
    >
      {table.columns.map((column, place) => (
        <CellField
          key={column.name}
          column={column}
          text={texts[column.name] ?? ""}
          isFirst={place === 0}
          onChange={(text) => setTexts({ ...texts, [column.name]: text })}
        />
      ))}
    </FormDialog>
  );
}

interface CellFieldProps {
  column: TableColumn;
  text: string;
  isFirst: boolean;
  onChange: (text: string) => void;
}

function CellField({ column: { name, type }, text, isFirst, onChange }: CellFieldProps) {
  if (type === "BOOLEAN")
    return (
      <Field label={name}>
        <Select
          data-autofocus={isFirst || undefined}
          value={text}
          choices={["", "true", "false"].map((value) => ({ value, label: value === "" ? "empty" : value }))}
          onChange={onChange}
        />
      </Field>
    );
  const attributes = {
    "data-autofocus": isFirst || undefined,
    value: text,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  if (type === "STRING")
    return (
      <Field label={name}>
        <Textarea rows={1} {...attributes} />
      </Field>
    );
  return (
    <Field label={name} hint={type === "DATE" ? "Such as 2026-03-31 or 2026-03-31 14:00, in UTC." : undefined}>
      <Input autoComplete="off" inputMode={type === "NUMBER" ? "decimal" : undefined} {...attributes} />
    </Field>
  );
}
