import { isRecord } from "@/parts/records";
import { useMemo } from "react";
import { type Column, CopyButton, EmptyState, JsonView, Table, VirtualTable, rowsOf } from "@/ui";
import { jsonText, pointerPart } from "@/ui/json-lines";
import { type AttachmentsOf, Attachments } from "./Attachments";
import { type SchemaLine, columnsOf, dataOf, schemaOf } from "./schema";
import type { Shape } from "./ShapeSelect";

export interface ItemsViewProps {
  label: string;
  /** As a node gave them: the data in `json`, files in `binary`. */
  items: readonly unknown[];
  shape: Shape;
  /** Where files of the items are; without it they are not offered. */
  attachmentsOf?: AttachmentsOf;
  /** A value was chosen: a JSON Pointer from the list of items. */
  onPath?: (path: string) => void;
  /** For whoever writes expressions: JSON is the data alone, and each field's expression can be copied. */
  forExpressions?: boolean;
}

const COLUMNS_MAX = 40;
const TEXT_MAX = 160;

/** Items as a table, as JSON, or by what fields they have. */
export function ItemsView({ label, items, shape, attachmentsOf, onPath, forExpressions = false }: ItemsViewProps) {
  const data = useMemo(() => items.map(dataOf), [items]);
  if (items.length === 0)
    return (
      <EmptyState icon="info" title="No items">
        Nothing came this way, so what is behind it did not run.
      </EmptyState>
    );
  return (
    <>
      {attachmentsOf && <Attachments items={items} of={attachmentsOf} />}
      {shape === "json" && (
        <JsonView
          label={label}
          value={forExpressions ? data : items}
          depth={4}
          onPath={forExpressions ? undefined : onPath}
          className="min-h-48 flex-1 border-t"
        />
      )}
      {shape === "schema" && <Schema label={label} data={data} canCopy={forExpressions} />}
      {shape === "table" && <ItemsTable label={label} data={data} onPath={onPath} />}
    </>
  );
}

interface Row {
  index: number;
  data: unknown;
}

interface ItemsTableProps {
  label: string;
  data: readonly unknown[];
  onPath: ((path: string) => void) | undefined;
}

function ItemsTable({ label, data, onPath }: ItemsTableProps) {
  const rows = useMemo(() => rowsOf(data.map((one, index): Row => ({ index, data: one }))), [data]);
  const names = useMemo(() => columnsOf(data).slice(0, COLUMNS_MAX), [data]);
  const columns: Column<Row>[] = [
    {
      key: "#",
      header: "#",
      width: "3rem",
      cell: ({ index }) => <span className="text-muted tabular-nums">{index}</span>,
    },
    ...names.map((name) => ({
      key: `field ${name}`,
      header: name,
      width: "minmax(7rem, 1fr)",
      cell: (row: Row) =>
        isRecord(row.data) && Object.hasOwn(row.data, name) ? (
          <Cell name={name} value={row.data[name]} path={`/${row.index}/json/${pointerPart(name)}`} onPath={onPath} />
        ) : (
          <span className="text-muted">–</span>
        ),
    })),
    ...(names.length === 0
      ? [{ key: "none", header: "Data", cell: () => <span className="text-muted">an empty item</span> }]
      : []),
  ];
  return (
    <div role="region" aria-label={label} className="flex min-h-48 flex-1 overflow-x-auto border-t">
      <div className="flex flex-1 flex-col" style={{ minWidth: `${columns.length * 7}rem` }}>
        <VirtualTable label={label} rows={rows} columns={columns} keyOf={(row) => String(row.index)} rowHeight={30} />
      </div>
    </div>
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
  const isEmpty = text === "";
  const look = `block max-w-full truncate text-left ${typeof value === "string" ? "" : "font-mono text-[12.5px]"} ${isEmpty ? "text-muted italic" : ""}`;
  if (!onPath)
    return (
      <span title={text} className={look}>
        {isEmpty ? "empty" : text}
      </span>
    );
  return (
    <button
      type="button"
      title={`From where ${name} comes`}
      onClick={() => onPath(path)}
      className={`rounded hover:underline ${look}`}
    >
      {isEmpty ? "empty" : text}
    </button>
  );
}

function Schema({ label, data, canCopy }: { label: string; data: readonly unknown[]; canCopy: boolean }) {
  const lines = useMemo(() => schemaOf(data), [data]);
  if (lines.length === 0)
    return <p className="border-t px-4 py-6 text-center text-sm text-muted">These items have no fields.</p>;
  const columns: Column<SchemaLine>[] = [
    {
      key: "name",
      header: "Field",
      cell: ({ name, path, depth }) => (
        <code title={path} className="font-mono text-[12.5px]" style={{ paddingLeft: `${depth}rem` }}>
          {name}
        </code>
      ),
    },
    { key: "type", header: "Type", cell: (line) => <span className="text-muted">{line.type}</span> },
    {
      key: "count",
      header: "In",
      align: "end",
      cell: (line) => (
        <span className="whitespace-nowrap tabular-nums">
          {line.count} of {data.length}
        </span>
      ),
    },
    {
      key: "sample",
      header: "Such as",
      cell: ({ sample }) => (
        <span className="block max-w-48 truncate font-mono text-[12.5px] text-muted">
          {(typeof sample === "string" ? sample : jsonText(sample)).slice(0, 80)}
        </span>
      ),
    },
    ...(canCopy
      ? [
          {
            key: "copy",
            header: "",
            cell: (line: SchemaLine) => (
              <CopyButton text={`{{ ${line.path} }}`} label={`Copy the expression for ${line.name}`} />
            ),
          },
        ]
      : []),
  ];
  return (
    <div className="min-h-0 flex-1 overflow-auto border-t">
      <Table label={`Schema of ${label}`} rows={lines} columns={columns} keyOf={(line) => line.path} />
    </div>
  );
}
