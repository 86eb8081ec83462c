import { useMemo, useState } from "react";
import { type Column, CopyButton, JsonView, VirtualTable, rowsOf } from "@/ui";
import { columnsOf, schemaOf } from "./schema";
import { shortValue } from "../expression/completion";
import { isRecord } from "../model/definition";

const SHAPES = ["table", "json", "schema"] as const;
export type Shape = (typeof SHAPES)[number];
const WORDS: Record<Shape, string> = { table: "Table", json: "JSON", schema: "Schema" };
/** More columns make a table that nobody reads; JSON has them all. */
const COLUMNS_MAX = 12;

/** The data of items, in one of three shapes. */
export function ItemsView({ label, items }: { label: string; items: readonly unknown[] }) {
  const [shape, setShape] = useState<Shape>("table");
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div role="group" aria-label={`Shape of ${label}`} className="flex gap-1 px-3 pb-2">
        {SHAPES.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={shape === one}
            onClick={() => setShape(one)}
            className="h-6 rounded px-2 text-xs text-muted hover:bg-hover aria-pressed:bg-hover aria-pressed:font-medium aria-pressed:text-text"
          >
            {WORDS[one]}
          </button>
        ))}
      </div>
      {shape === "table" && <ItemsTable label={label} items={items} />}
      {shape === "json" && <JsonView label={label} value={items} depth={3} className="flex-1 border-t" />}
      {shape === "schema" && <Schema label={label} items={items} />}
    </div>
  );
}

interface Row {
  place: number;
  item: unknown;
}

function ItemsTable({ label, items }: { label: string; items: readonly unknown[] }) {
  const rows = useMemo(() => rowsOf(items.map((item, place): Row => ({ place, item }))), [items]);
  const columns = useMemo((): Column<Row>[] => {
    const names = columnsOf(items).slice(0, COLUMNS_MAX);
    return [
      { key: "#", header: "#", width: "3rem", cell: (row) => <span className="text-muted">{row.place + 1}</span> },
      ...names.map((name) => ({
        key: `.${name}`,
        header: name,
        width: "minmax(7rem, 1fr)",
        cell: (row: Row) => <Cell value={isRecord(row.item) ? row.item[name] : undefined} />,
      })),
      ...(names.length === 0
        ? [{ key: ".", header: "Data", cell: () => <span className="text-muted">an empty item</span> }]
        : []),
    ];
  }, [items]);
  return (
    <div className="flex min-h-40 flex-1 overflow-x-auto border-t">
      <div className="flex flex-1 flex-col" style={{ minWidth: `${columns.length * 7}rem` }}>
        <VirtualTable label={label} rows={rows} columns={columns} keyOf={(row) => String(row.place)} rowHeight={30} />
      </div>
    </div>
  );
}

function Cell({ value }: { value: unknown }) {
  if (value === undefined) return <span className="text-muted">–</span>;
  const text = shortValue(value);
  return (
    <span title={text} className="block truncate font-mono text-xs">
      {text}
    </span>
  );
}

function Schema({ label, items }: { label: string; items: readonly unknown[] }) {
  const lines = useMemo(() => schemaOf(items), [items]);
  if (lines.length === 0)
    return <p className="border-t px-4 py-6 text-center text-sm text-muted">These items have no fields.</p>;
  return (
    <ul aria-label={`Fields of ${label}`} tabIndex={0} className="min-h-0 flex-1 overflow-auto border-t py-1">
      {lines.map((line) => (
        <li
          key={line.path}
          className="group flex items-center gap-2 px-3 py-0.5 text-[13px] hover:bg-hover"
          style={{ paddingLeft: `${line.depth * 16 + 12}px` }}
        >
          <span className="font-medium">{line.name}</span>
          <span className="text-xs text-muted">{line.type}</span>
          <span className="min-w-0 flex-1 truncate text-right font-mono text-xs text-muted">{line.sample}</span>
          <CopyButton text={`{{ ${line.path} }}`} label={`Copy the expression for ${line.name}`} />
        </li>
      ))}
    </ul>
  );
}
