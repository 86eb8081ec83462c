import { changed } from "./change";
import type { Server } from "./server";

/** Makes a table of customers with three rows, and answers its id. */
export async function dataTable(server: Server, name: string): Promise<string> {
  const columns = [
    { name: "name", type: "STRING" },
    { name: "orders", type: "NUMBER" },
    { name: "active", type: "BOOLEAN" },
    { name: "since", type: "DATE" },
  ];
  const { tableId } = await changed<{ tableId: string }>(
    server,
    "createDataTable",
    "CreateDataTableInput",
    { name, columns },
    "tableId",
  );
  await insertRows(server, tableId, [
    { name: "Ada", orders: 3, active: true, since: "2026-03-01" },
    { name: "Grace, H.", orders: 12, active: false, since: "2026-03-02T10:30:00Z" },
    { name: "Bob" },
  ]);
  return tableId;
}

/** Puts rows into a table, and answers the position of that. */
export async function insertRows(server: Server, table: string, rows: readonly unknown[]): Promise<string> {
  const { position } = await changed(server, "insertTableRows", "InsertTableRowsInput", { table, rows });
  return position ?? "";
}
