import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { useKeys } from "../app/keys";
import { Button } from "./Button";
import { classes } from "./class-names";
import { ErrorState, Skeleton } from "./States";
import type { Fault } from "../api/errors";

export interface Column<R> {
  key: string;
  header: ReactNode;
  cell: (row: R) => ReactNode;
  /** As in `grid-template-columns`; `1fr` where it is absent. */
  width?: string;
  align?: "end";
  /** Left out on narrow windows. */
  wideOnly?: boolean;
}

/** Rows of whatever length; a pager is one, and so is `rowsOf(array)`. */
export interface Rows<R> {
  count: number;
  hasMore: boolean;
  rowAt: (index: number) => R | undefined;
  ensure: (first: number, last: number) => void;
  isLoading: boolean;
  isEmpty: boolean;
  fault?: Fault;
  reload?: () => void;
  fresh?: number;
  showFresh?: () => void;
}

/** An array as rows. */
export function rowsOf<R>(rows: readonly R[]): Rows<R> {
  return {
    count: rows.length,
    hasMore: false,
    rowAt: (index) => rows[index],
    ensure: () => undefined,
    isLoading: false,
    isEmpty: rows.length === 0,
  };
}

export interface VirtualTableProps<R> {
  /** What the rows are, for those who do not see them. */
  label: string;
  rows: Rows<R>;
  columns: readonly Column<R>[];
  keyOf: (row: R) => string;
  /** Enter, or a press. */
  onOpen?: (row: R) => void;
  /** The keyboard came to a row. */
  onActive?: (row: R, index: number) => void;
  /** The row that is marked as the present one. */
  selectedKey?: string;
  empty?: ReactNode;
  rowHeight?: number;
  /** How many rows were put in before the first since the list began: what is read stays where it is. */
  before?: number;
  /** Whether that holds as well while the list stands at its top, where otherwise new rows are let in. */
  holdsTop?: boolean;
}

/** A table of any length: rows that are not in sight are not there. `j` and `k` or the arrows move, Enter opens. */
export function VirtualTable<R>(props: VirtualTableProps<R>) {
  const { label, rows, columns, keyOf, onOpen, onActive, selectedKey, empty, rowHeight = 36 } = props;
  const { before = 0, holdsTop = false } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const total = rows.count + (rows.hasMore ? 1 : 0);
  // The library keeps its own state, which the compiler of React could not see; nothing here is compiled by it.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    initialRect: { width: 800, height: 600 },
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  // The one row that Tab leads to: the one where the keyboard was, or one in sight when that one is not there.
  const kept = rows.count === 0 ? 0 : Math.min(active, rows.count - 1);
  const tabStop = items.some((item) => item.index === kept) ? kept : items[items.length >> 1]?.index;
  const { ensure } = rows;
  useEffect(() => ensure(first, last));
  const hadBefore = useRef(before);
  useLayoutEffect(() => {
    const more = before - hadBefore.current;
    hadBefore.current = before;
    const box = scroll.current;
    if (more <= 0 || !box || (box.scrollTop === 0 && !holdsTop)) return;
    box.scrollTop += more * rowHeight;
  }, [before, holdsTop, rowHeight]);

  const go = (index: number, focus = true) => {
    const next = Math.max(0, Math.min(rows.count - 1, index));
    setActive(next);
    virtual.scrollToIndex(next);
    const row = rows.rowAt(next);
    if (row !== undefined) onActive?.(row, next);
    if (focus)
      requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus());
  };
  const open = () => {
    const row = rows.rowAt(active);
    if (row !== undefined) onOpen?.(row);
  };
  useKeys(
    [
      { keys: "j", does: "next row", run: () => go(active + 1) },
      { keys: "k", does: "row before", run: () => go(active - 1) },
    ],
    label,
  );
  const onKeyDown = (event: KeyboardEvent) => {
    if (!event.currentTarget.contains(event.target as Node)) return;
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? rowHeight) / rowHeight) - 1);
    const places: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: rows.count - 1,
    };
    const place = places[event.key];
    if (place !== undefined) {
      event.preventDefault();
      go(place);
    } else if (
      event.key === "Enter" &&
      event.target instanceof HTMLElement &&
      event.target.dataset.index !== undefined
    ) {
      event.preventDefault();
      open();
    }
  };

  if (rows.fault) return <ErrorState fault={rows.fault} onRetry={rows.reload} />;
  if (rows.isEmpty) return <>{empty}</>;
  const template = columns.map((column) => column.width ?? "minmax(0, 1fr)").join(" ");
  const narrow = columns
    .filter((column) => column.wideOnly !== true)
    .map((column) => column.width ?? "minmax(0, 1fr)")
    .join(" ");
  const style = { "--columns": template, "--narrow": narrow } as React.CSSProperties;
  const grid =
    "grid [grid-template-columns:var(--narrow)] md:[grid-template-columns:var(--columns)] items-center gap-3 px-4 md:px-6";
  const cellOf = (column: Column<R>) =>
    classes("min-w-0 truncate", column.align === "end" && "text-right", column.wideOnly === true && "hidden md:block");
  return (
    <div className="relative flex min-h-0 flex-1 flex-col" style={style}>
      {(rows.fresh ?? 0) > 0 && (
        <div className="absolute top-10 left-1/2 z-10 -translate-x-1/2">
          <Button kind="primary" size="small" onClick={rows.showFresh}>
            {rows.fresh} new
          </Button>
        </div>
      )}
      <div
        ref={scroll}
        role="grid"
        aria-label={label}
        aria-rowcount={rows.hasMore ? -1 : total + 1}
        aria-busy={rows.isLoading}
        onKeyDown={onKeyDown}
        onPointerOver={hintWhatIsCut}
        className="min-h-0 flex-1 overflow-auto"
      >
        <div role="rowgroup" className="sticky top-0 z-[1] border-b bg-sunken">
          <div role="row" aria-rowindex={1} className={classes(grid, "h-8 text-xs font-medium text-muted")}>
            {columns.map((column) => (
              <div key={column.key} role="columnheader" className={cellOf(column)}>
                {column.header}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="relative" style={{ height: `${virtual.getTotalSize()}px` }}>
          {items.map((item) => {
            const row = rows.rowAt(item.index);
            const isSelected = row !== undefined && selectedKey !== undefined && keyOf(row) === selectedKey;
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={isSelected}
                data-index={item.index}
                tabIndex={item.index === tabStop ? 0 : -1}
                onFocus={() => {
                  setActive(item.index);
                  if (row !== undefined) onActive?.(row, item.index);
                }}
                onClick={(event) => {
                  // What happens in a menu that a row opened comes here as well, from elsewhere in the document.
                  if (!event.currentTarget.contains(event.target as Node)) return;
                  // A link or a button in the row is pressed for itself.
                  if ((event.target as HTMLElement).closest("a, button, input, label")) return;
                  setActive(item.index);
                  if (row !== undefined) onOpen?.(row);
                }}
                style={{ height: `${item.size}px`, transform: `translateY(${item.start}px)` }}
                className={classes(
                  grid,
                  "absolute inset-x-0 top-0 border-b text-[13px] outline-offset-[-2px]",
                  onOpen && "cursor-pointer",
                  isSelected ? "bg-accent-soft" : "hover:bg-hover",
                )}
              >
                {columns.map((column) => (
                  <div key={column.key} role="gridcell" className={cellOf(column)}>
                    {row === undefined ? <Skeleton className="h-3 w-2/3" /> : column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** What is cut off is told as a hint where the pointer comes to it. */
function hintWhatIsCut({ target }: PointerEvent): void {
  if (!(target instanceof HTMLElement)) return;
  const cell = target.closest<HTMLElement>("[role=gridcell]");
  if (cell === null) return;
  const cut = [target, cell].find((one) => one.scrollWidth > one.clientWidth && one.clientWidth > 0);
  if (cut === undefined) cell.removeAttribute("title");
  else cell.title = cut.textContent;
}
