import { useMemo, useState } from "react";
import { Button, EmptyState, JsonView, type Column, Table } from "@/ui";
import { jsonText, pointerPart } from "@/ui/json-lines";
import { isPayload } from "../history/facts";
import { type AttachmentsOf, Attachments } from "./Attachments";
import { type SchemaField, columnsOf, schemaOf } from "./schema";

export type Shape = "table" | "json" | "schema";

export interface ItemsViewProps {
  label: string;
  items: readonly unknown[];
  shape: Shape;
  attachmentsOf: AttachmentsOf;
  /** A value was chosen: a JSON Pointer from the list of items. */
  onPath?: (path: string) => void;
}

const COLUMNS_MAX = 40;
const ROWS_STEP = 50;
const TEXT_MAX = 160;

/** Items as a table, as JSON, or by what fields they have. */
export function ItemsView({ label, items, shape, attachmentsOf, onPath }: ItemsViewProps) {
  if (items.length === 0)
    return (
      <EmptyState icon="info" title="No items">
        Nothing came this way, so what is behind it did not run.
      </EmptyState>
    );
  const body =
    shape === "json" ? (
      <JsonView label={label} value={items} depth={4} onPath={onPath} className="min-h-48 flex-1" />
    ) : shape === "schema" ? (
      <Schema label={label} items={items} />
    ) : (
      <ItemsTable label={label} items={items} onPath={onPath} />
    );
  return (
    <>
      <Attachments items={items} of={attachmentsOf} />
      {body}
    </>
  );
}

function ItemsTable({ label, items, onPath }: Pick<ItemsViewProps, "label" | "items" | "onPath">) {
  const [shown, setShown] = useState(ROWS_STEP);
  const names = useMemo(() => columnsOf(items.slice(0, shown), COLUMNS_MAX), [items, shown]);
  const rows = items.slice(0, shown).map((item, index) => ({ item, index }));
  const columns: Column<(typeof rows)[number]>[] = [
    { key: "#", header: "#", cell: ({ index }) => <span className="text-muted tabular-nums">{index}</span> },
    ...names.map((name) => ({
      key: `field ${name}`,
      header: name,
      cell: ({ item, index }: (typeof rows)[number]) => {
        const json = isPayload(item) && isPayload(item.json) ? item.json : {};
        if (!(name in json)) return <span className="text-muted">–</span>;
        return <Cell name={name} value={json[name]} path={`/${index}/json/${pointerPart(name)}`} onPath={onPath} />;
      },
    })),
  ];
  return (
    <>
      <Table label={label} rows={rows} columns={columns} keyOf={({ index }) => String(index)} />
      {items.length > shown && (
        <div className="p-3">
          <Button size="small" onClick={() => setShown(shown + ROWS_STEP * 4)}>
            Show more ({(items.length - shown).toLocaleString()} left)
          </Button>
        </div>
      )}
    </>
  );
}

interface CellProps {
  name: string;
  value: unknown;
  path: string;
  onPath: ((path: string) => void) | undefined;
}

function Cell({ name, value, path, onPath }: CellProps) {
  const whole = typeof value === "string" ? value : jsonText(value);
  const text = whole.length > TEXT_MAX ? `${whole.slice(0, TEXT_MAX)}…` : whole;
  const look = typeof value === "string" ? "" : "font-mono text-[12.5px]";
  if (!onPath) return <span className={look}>{text}</span>;
  return (
    <button
      type="button"
      title={`From where ${name} comes`}
      onClick={() => onPath(path)}
      className={`block max-w-64 truncate rounded text-left hover:underline ${look} ${text === "" ? "text-muted italic" : ""}`}
    >
      {text === "" ? "empty" : text}
    </button>
  );
}

function Schema({ label, items }: Pick<ItemsViewProps, "label" | "items">) {
  const fields = useMemo(() => schemaOf(items), [items]);
  const columns: Column<SchemaField>[] = [
    { key: "path", header: "Field", cell: (field) => <code className="font-mono text-[12.5px]">{field.path}</code> },
    { key: "types", header: "Type", cell: (field) => field.types.join(" or ") },
    {
      key: "count",
      header: "In",
      align: "end",
      cell: (field) => (
        <span className="tabular-nums">
          {field.count} of {items.length}
        </span>
      ),
    },
    {
      key: "example",
      header: "Such as",
      cell: (field) => (
        <span className="block max-w-48 truncate font-mono text-[12.5px] text-muted">
          {jsonText(field.example).slice(0, 80)}
        </span>
      ),
    },
  ];
  return <Table label={`Schema of ${label}`} rows={fields} columns={columns} keyOf={(field) => field.path} />;
}
