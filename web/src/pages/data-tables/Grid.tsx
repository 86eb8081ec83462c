import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { useKeys } from "@/app/keys";
import { ErrorState, Skeleton, classes } from "@/ui";
import { OWN_COLUMNS, type TableColumn, cellText, dateText } from "./cells";
import { CellEditor, type Leaves } from "./CellEditor";
import type { ShownRows, TableRow } from "./useTableRows";

const ROW_HEIGHT = 34;
/** Taken for the rows of a page while it is not known how high the grid is. */
const PAGE_AT_LEAST = 1;

export interface GridProps {
  label: string;
  rows: ShownRows;
  columns: readonly TableColumn[];
  order: { column: string; descending: boolean } | undefined;
  /** What the head of a column shows. */
  head: (column: TableColumn, isOwn: boolean) => ReactNode;
  /** Writes a cell; answers what is wrong with it. Absent where nothing can be written. */
  onWrite?: (row: TableRow, column: string, text: string) => Promise<string | undefined>;
  chosen: ReadonlySet<number>;
  onChoose?: (row: TableRow) => void;
  empty: ReactNode;
}

interface Place {
  row: number;
  column: number;
}

interface Editing {
  id: number;
  column: number;
}

/** What a grid shows of a row, cell by cell. */
interface Cell extends TableColumn {
  kind: "choice" | "own" | "cell";
  width: string;
  /** At least, in rem. */
  rem: number;
}

const WIDTHS = { STRING: 12, NUMBER: 9, BOOLEAN: 9, DATE: 11 } as const;

function cellsOf(columns: readonly TableColumn[], canChoose: boolean): Cell[] {
  const [id, created, updated] = OWN_COLUMNS.map((column): Cell => {
    const rem = column.name === "id" ? 5 : 11;
    return { ...column, kind: "own", width: `${rem}rem`, rem };
  });
  const choice: Cell = { name: "", type: "BOOLEAN", kind: "choice", width: "2.25rem", rem: 2.25 };
  const own = columns.map((column): Cell => {
    const rem = WIDTHS[column.type];
    return { ...column, kind: "cell", width: `minmax(${rem}rem, 1fr)`, rem };
  });
  return [
    ...(canChoose ? [choice] : []),
    ...(id ? [id] : []),
    ...own,
    ...[created, updated].filter((one) => one !== undefined),
  ];
}

/**
 * Rows of a table, cell by cell. The arrows go from cell to cell, Enter or F2 writes one, Delete empties it, the space bar chooses
 * the row. Rows that are not in sight are not there.
 */
export function Grid(props: GridProps) {
  const { label, rows, columns, order, head, onWrite, chosen, onChoose, empty } = props;
  const cells = cellsOf(columns, onChoose !== undefined);
  const first = onChoose ? 1 : 0;
  const scroll = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<Place>({ row: 0, column: first + 1 });
  const [editing, setEditing] = useState<Editing>();
  const count = rows.count ?? 1;
  // The library keeps its own state, which the compiler of React could not see; nothing here is compiled by it.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
    // Rows go beneath the head, which stays.
    scrollPaddingStart: ROW_HEIGHT,
    initialRect: { width: 800, height: 600 },
  });
  const items = virtual.getVirtualItems();
  const [from, to] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  const { ensure } = rows;
  useEffect(() => ensure(from, to));

  const kept: Place = {
    row: Math.max(0, Math.min(active.row, count - 1)),
    column: Math.min(active.column, cells.length - 1),
  };
  const tabRow = items.some((item) => item.index === kept.row) ? kept.row : items[items.length >> 1]?.index;
  const elementAt = ({ row, column }: Place) =>
    scroll.current?.querySelector<HTMLElement>(`[data-row="${row}"] > [data-column="${column}"]`);
  const go = (place: Place) => {
    const next = {
      row: Math.max(0, Math.min(count - 1, place.row)),
      column: Math.max(0, Math.min(cells.length - 1, place.column)),
    };
    setActive(next);
    virtual.scrollToIndex(next.row);
    requestAnimationFrame(() => {
      const element = elementAt(next);
      element?.focus({ preventScroll: true });
      element?.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  };
  const canWrite = (column: number) => onWrite !== undefined && cells[column]?.kind === "cell";
  const edit = ({ row, column }: Place) => {
    const found = rows.rowAt(row);
    if (found && canWrite(column)) setEditing({ id: found.id, column });
  };
  const leave = (place: Place, leaves: Leaves) => {
    setEditing(undefined);
    if (leaves === "down") go({ ...place, row: place.row + 1 });
    else if (leaves === "right" || leaves === "left")
      go({ ...place, column: place.column + (leaves === "right" ? 1 : -1) });
    else if (leaves === "here") go(place);
  };
  const press = (place: Place) => {
    const row = rows.rowAt(place.row);
    if (!row) return;
    if (cells[place.column]?.kind === "choice") onChoose?.(row);
    else edit(place);
  };
  useKeys(
    [
      { keys: "j", does: "next row", run: () => go({ ...kept, row: kept.row + 1 }) },
      { keys: "k", does: "row before", run: () => go({ ...kept, row: kept.row - 1 }) },
    ],
    label,
  );
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const cell = event.target instanceof HTMLElement ? event.target : undefined;
    // What is written in a cell, and what is pressed in the head, is not for the grid.
    if (cell?.getAttribute("role") !== "gridcell" || event.altKey || event.metaKey) return;
    const page = Math.max(PAGE_AT_LEAST, Math.floor((scroll.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2);
    const last = cells.length - 1;
    const places: Record<string, Place> = {
      ArrowDown: { ...kept, row: kept.row + 1 },
      ArrowUp: { ...kept, row: kept.row - 1 },
      ArrowRight: { ...kept, column: kept.column + 1 },
      ArrowLeft: { ...kept, column: kept.column - 1 },
      PageDown: { ...kept, row: kept.row + page },
      PageUp: { ...kept, row: kept.row - page },
      Home: { row: event.ctrlKey ? 0 : kept.row, column: 0 },
      End: { row: event.ctrlKey ? count - 1 : kept.row, column: last },
    };
    const place = places[event.key];
    const row = rows.rowAt(kept.row);
    if (place !== undefined) go(place);
    else if (event.ctrlKey) return;
    else if (event.key === "Enter" || event.key === "F2") press(kept);
    else if (event.key === " ") {
      if (row) onChoose?.(row);
    } else if (event.key === "Delete" && row && canWrite(kept.column)) {
      const name = cells[kept.column]?.name ?? "";
      if (cellText(cellOf(row, name)) !== "") void onWrite?.(row, name, "");
    } else return;
    event.preventDefault();
  };

  if (rows.fault) return <ErrorState fault={rows.fault} onRetry={rows.reload} />;
  if (rows.count === 0) return <>{empty}</>;
  const width = cells.reduce((sum, cell) => sum + cell.rem, 0);
  const style = { gridTemplateColumns: cells.map((cell) => cell.width).join(" ") };
  return (
    <div
      ref={scroll}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.count === undefined ? -1 : rows.count + 1}
      aria-colcount={cells.length}
      aria-readonly={onWrite === undefined}
      aria-busy={rows.count === undefined}
      onKeyDown={onKeyDown}
      className="min-h-0 flex-1 overflow-auto"
    >
      <div style={{ minWidth: `${width}rem` }}>
        <div role="rowgroup" className="sticky top-0 z-[2] border-b bg-sunken">
          <div role="row" aria-rowindex={1} style={style} className="grid h-[34px] items-center text-xs">
            {cells.map((cell) => (
              <div
                key={cell.name}
                role="columnheader"
                aria-sort={sortOf(cell.name, order)}
                className="flex h-full min-w-0 items-center border-r"
              >
                {cell.kind === "choice" ? <span className="sr-only">Chosen</span> : head(cell, cell.kind === "own")}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="relative" style={{ height: `${virtual.getTotalSize()}px` }}>
          {items.map((item) => {
            const row = rows.rowAt(item.index);
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={row !== undefined && chosen.has(row.id)}
                data-row={item.index}
                style={{ ...style, height: `${item.size}px`, transform: `translateY(${item.start}px)` }}
                className={classes(
                  "absolute inset-x-0 top-0 grid border-b text-[13px]",
                  row !== undefined && chosen.has(row.id) ? "bg-accent-soft" : "hover:bg-hover",
                  row !== undefined && editing?.id === row.id && "z-[1]",
                )}
              >
                {cells.map((cell, column) => {
                  const place = { row: item.index, column };
                  const isEdited = row !== undefined && editing?.id === row.id && editing.column === column;
                  return (
                    <div
                      key={cell.name}
                      role="gridcell"
                      data-column={column}
                      tabIndex={item.index === tabRow && column === kept.column ? 0 : -1}
                      aria-readonly={!canWrite(column)}
                      onFocus={() => setActive(place)}
                      onDoubleClick={() => edit(place)}
                      className={classes(
                        "flex min-w-0 items-center border-r outline-offset-[-2px]",
                        !isEdited && "px-2.5",
                        isEdited && "relative",
                        cell.type === "NUMBER" && "justify-end tabular-nums",
                        cell.kind === "own" && "text-muted",
                      )}
                    >
                      {row === undefined ? (
                        <Skeleton className="h-3 w-2/3" />
                      ) : isEdited ? (
                        <CellEditor
                          label={`${cell.name} of row ${row.id}`}
                          type={cell.type}
                          text={cellText(cellOf(row, cell.name))}
                          onWrite={(text) => onWrite?.(row, cell.name, text) ?? Promise.resolve(undefined)}
                          onLeave={(leaves) => leave(place, leaves)}
                        />
                      ) : cell.kind === "choice" ? (
                        <input
                          type="checkbox"
                          tabIndex={-1}
                          aria-label={`Choose row ${row.id}`}
                          checked={chosen.has(row.id)}
                          onChange={() => onChoose?.(row)}
                          className="accent-accent"
                        />
                      ) : (
                        <Shown value={cellOf(row, cell.name)} cell={cell} />
                      )}
                    </div>
                  );
                })}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function sortOf(name: string, order: GridProps["order"]): "ascending" | "descending" | undefined {
  if (order?.column !== name) return undefined;
  return order.descending ? "descending" : "ascending";
}

/** What a row has in a column, one of its own as well. */
export function cellOf(row: TableRow, column: string): unknown {
  if (column === "id") return row.id;
  if (column === "createdAt") return row.createdAt;
  if (column === "updatedAt") return row.updatedAt;
  return (row.cells as Record<string, unknown>)[column];
}

function Shown({ value, cell }: { value: unknown; cell: Cell }) {
  const text = cellText(value);
  if (text === "") return <span className="sr-only">empty</span>;
  // When a row came in is told to the second; the rest is in the hint.
  const toTheSecond = () => new Date(text).toISOString().replace(/\.\d+/, "");
  const shown = cell.type === "DATE" ? dateText(cell.kind === "own" ? toTheSecond() : text) : text;
  return (
    <span className="truncate whitespace-pre" title={text}>
      {shown}
    </span>
  );
}
