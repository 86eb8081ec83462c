import { useState } from "react";
import { Button, Icon, IconButton, Input, Select } from "@/ui";
import { OWN_COLUMNS, type TableColumn } from "./cells";
import { CONDITIONS_MAX, WORDS, type Word, conditionOf, textOf, wordsFor, wordsOf } from "./conditions";

export interface FilterBarProps {
  columns: readonly TableColumn[];
  where: readonly string[];
  isAny: boolean;
  /** For which column a condition is being written. */
  adding: string | undefined;
  onAdding: (column: string | undefined) => void;
  onChange: (where: readonly string[], isAny: boolean) => void;
}

/** Which rows are shown: what is said of them, and one more condition. */
export function FilterBar({ columns, where, isAny, adding, onAdding, onChange }: FilterBarProps) {
  const conditions = where.flatMap((text) => conditionOf(text) ?? []);
  const first = columns[0]?.name ?? "id";
  return (
    <div
      role="group"
      aria-label="Which rows are shown"
      className="flex flex-wrap items-center gap-2 border-b bg-surface px-4 py-2 md:px-6"
    >
      {conditions.length > 1 && (
        <div className="w-32">
          <Select
            aria-label="How conditions go together"
            value={isAny ? "any" : "all"}
            choices={[
              { value: "all", label: "all of these" },
              { value: "any", label: "any of these" },
            ]}
            onChange={(next) => onChange(where, next === "any")}
          />
        </div>
      )}
      {conditions.map((condition, place) => (
        <span
          key={`${textOf(condition)} ${String(place)}`}
          className="inline-flex max-w-full items-center gap-1 rounded-md bg-accent-soft pl-2 text-[13px] text-accent"
        >
          <span className="truncate">{wordsOf(condition)}</span>
          <IconButton
            size="small"
            label={`Take out: ${wordsOf(condition)}`}
            icon={<Icon name="close" className="size-3" />}
            onClick={() => onChange(where.toSpliced(place, 1), isAny)}
          />
        </span>
      ))}
      {adding === undefined ? (
        <Button size="small" disabled={where.length >= CONDITIONS_MAX} onClick={() => onAdding(first)}>
          <Icon name="search" /> Filter
        </Button>
      ) : (
        <ConditionForm
          key={adding}
          columns={[...columns, ...OWN_COLUMNS]}
          column={adding}
          onDone={(text) => {
            onAdding(undefined);
            if (text !== undefined) onChange([...where, text], isAny);
          }}
        />
      )}
    </div>
  );
}

interface ConditionFormProps {
  columns: readonly TableColumn[];
  /** The column to begin with. */
  column: string;
  onDone: (condition: string | undefined) => void;
}

function ConditionForm({ columns, column, onDone }: ConditionFormProps) {
  const [name, setName] = useState(column);
  const [word, setWord] = useState<Word>("eq");
  const [value, setValue] = useState("");
  const type = columns.find((one) => one.name === name)?.type ?? "STRING";
  const words = wordsFor(type);
  const known = words.some((one) => one.value === word) ? word : "eq";
  const { compares } = WORDS[known];
  const isComplete = !compares || value.trim() !== "" || known === "eq" || known === "neq";
  return (
    <form
      aria-label="One more condition"
      className="flex flex-wrap items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (isComplete) onDone(textOf({ column: name, word: known, ...(compares && { value: value.trim() }) }));
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onDone(undefined);
      }}
    >
      <div className="w-36">
        <Select
          aria-label="Column"
          value={name}
          choices={columns.map((one) => ({ value: one.name, label: one.name }))}
          onChange={setName}
        />
      </div>
      <div className="w-44">
        <Select aria-label="Condition" value={known} choices={words} onChange={setWord} />
      </div>
      {compares && (
        <div className="w-44">
          <Input
            aria-label="Value"
            autoFocus
            placeholder={
              type === "DATE" ? "2026-03-31, in UTC" : known.endsWith("like") ? "% stands for any text" : "empty"
            }
            inputMode={type === "NUMBER" ? "decimal" : undefined}
            value={value}
            onChange={(event) => setValue(event.target.value)}
          />
        </div>
      )}
      <Button type="submit" kind="primary" disabled={!isComplete}>
        Show these
      </Button>
      <Button kind="quiet" onClick={() => onDone(undefined)}>
        Not now
      </Button>
    </form>
  );
}
