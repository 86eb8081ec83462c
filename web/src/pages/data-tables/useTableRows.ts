import { useCallback, useEffect, useMemo, useState } from "react";
import { type Fault, client, faultOf } from "@/api";
import { asOf } from "@/app/search";
import type { DataTableRowsPageQuery } from "@/gql/graphql";
import type { TableColumn } from "./cells";
import { conditionOf, inputOf } from "./conditions";
import { RowsOfDataTable } from "./documents";
import { type Part, RowPages } from "./row-pages";
import type { DataTableSearch } from "./search";

export type TableRow = NonNullable<DataTableRowsPageQuery["dataTable"]>["rows"]["rows"][number];
type Asked = Pick<DataTableSearch, "where" | "any" | "sort" | "descending" | "at">;

/** Rows of a page. */
const PAGE_ROWS = 200;

/** What rows an address asks for. */
export function questionOf(table: string, { where = [], any, sort, descending, at }: Asked) {
  return {
    table,
    asOf: asOf(at),
    conditions: where.flatMap((text) => conditionOf(text) ?? []).map(inputOf),
    any: any === true,
    orderBy: sort,
    descending: descending === true,
  };
}

/** Asks for a part of the rows of a table; there are none where there is no such table. */
export async function partOf(
  question: ReturnType<typeof questionOf>,
  skip: number,
  first: number,
): Promise<Part<TableRow, Fault>> {
  const variables = { ...question, skip, first };
  const { data, error } = await client.query(RowsOfDataTable, variables, { requestPolicy: "network-only" }).toPromise();
  if (error) return { problem: faultOf(error) };
  return data?.dataTable?.rows ?? { rows: [], count: 0 };
}

export interface ShownRows {
  /** How many are meant; not known before the first came. */
  count: number | undefined;
  rowAt: (index: number) => TableRow | undefined;
  ensure: (first: number, last: number) => void;
  /** Takes in a row that this page changed. */
  put: (row: TableRow) => void;
  reload: () => void;
  fault: Fault | undefined;
}

/** The rows of a table that an address asks for, of which a window is held. Other columns make other rows. */
export function useTableRows(table: string, columns: readonly TableColumn[], asked: Asked): ShownRows {
  const key = JSON.stringify({ question: questionOf(table, asked), columns });
  const [, render] = useState(0);
  const pages = useMemo(() => {
    const { question } = JSON.parse(key) as { question: ReturnType<typeof questionOf> };
    return new RowPages<TableRow, Fault>({
      pageSize: PAGE_ROWS,
      keyOf: (row) => row.id,
      load: (skip, first) => partOf(question, skip, first),
      changed: () => render((count) => count + 1),
    });
  }, [key]);
  useEffect(() => {
    pages.ensure(0, 0);
    return () => pages.close();
  }, [pages]);
  return {
    count: pages.count,
    rowAt: (index) => pages.rowAt(index),
    ensure: useCallback((first: number, last: number) => pages.ensure(first, last), [pages]),
    put: useCallback((row: TableRow) => pages.put(row), [pages]),
    reload: useCallback(() => pages.reload(), [pages]),
    fault: pages.problem,
  };
}
