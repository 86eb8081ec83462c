import type { ReactNode } from "react";
import { classes } from "./class-names";
import type { Column } from "./VirtualTable";

export interface TableProps<R> {
  label: string;
  rows: readonly R[];
  columns: readonly Column<R>[];
  keyOf: (row: R) => string;
  empty?: ReactNode;
}

/** A table of few rows, all of which are there. */
export function Table<R>({ label, rows, columns, keyOf, empty }: TableProps<R>) {
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>;
  const align = (column: Column<R>) =>
    classes(
      "px-3 py-1.5",
      column.align === "end" ? "text-right" : "text-left",
      column.wideOnly === true && "hidden md:table-cell",
    );
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full border-collapse text-[13px]">
        <thead>
          <tr className="border-b bg-sunken text-xs text-muted">
            {columns.map((column) => (
              <th key={column.key} scope="col" className={classes(align(column), "font-medium whitespace-nowrap")}>
                {column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className="border-b hover:bg-hover">
              {columns.map((column) => (
                <td key={column.key} className={align(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
