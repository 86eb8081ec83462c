import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import { usePageTitle } from "@/app/title";
import type { DataTablePageQuery } from "@/gql/graphql";
import { problemOf } from "@/parts/FormDialog";
import { MomentField } from "@/parts/MomentField";
import {
  Button,
  EmptyState,
  ErrorState,
  Icon,
  IconButton,
  Kbd,
  Menu,
  type MenuItem,
  PageHeader,
  Skeleton,
  instant,
} from "@/ui";
import { OWN_COLUMNS, type TableColumn, written } from "./cells";
import { DataTablesChanged, OneDataTable, RowsChanged, UpdateRow } from "./documents";
import { FilterBar } from "./FilterBar";
import { Grid } from "./Grid";
import { type DataTableSearch, withoutOldName } from "./search";
import { type Doing, TableDialogs } from "./TableDialogs";
import { type ShownRows, type TableRow, useTableRows } from "./useTableRows";

export type TableShown = NonNullable<DataTablePageQuery["dataTable"]>;

const NONE: ReadonlySet<number> = new Set();

const route = getRouteApi("/data-tables/$tableId");

export function DataTablePage() {
  const { tableId } = route.useParams();
  const { at } = route.useSearch();
  const [{ data, error, fetching }, again] = useQuery({
    query: OneDataTable,
    variables: { table: tableId, asOf: asOf(at) },
    requestPolicy: "cache-and-network",
  });
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(DataTablesChanged, {}, reload, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  const table = data?.dataTable;
  usePageTitle(table?.name, "Data tables");
  if (table) return <Shown table={table} reloadTable={reload} />;
  return (
    <>
      <PageHeader title="Data table" above={<Above at={at} />} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={reload} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-6 w-1/2" />
          <Skeleton className="h-40" />
        </div>
      ) : (
        <EmptyState
          icon="table"
          title={at === undefined ? "There is no such data table" : "There was no such data table"}
        >
          {at === undefined
            ? "It may have been deleted: look at the tables as of a moment before."
            : "It was made later."}{" "}
          {at !== undefined && (
            <>
              <Link to="/data-tables/$tableId" params={{ tableId }} className="text-accent underline">
                Show it as it is now
              </Link>
              , or{" "}
            </>
          )}
          <Link to="/data-tables" className="text-accent underline">
            {at === undefined ? "See" : "see"} all data tables
          </Link>
          .
        </EmptyState>
      )}
    </>
  );
}

function Above({ at }: { at: string | undefined }) {
  return (
    <Link to="/data-tables" search={at === undefined ? {} : { at }} className="hover:underline">
      Data tables
    </Link>
  );
}

function Shown({ table, reloadTable }: { table: TableShown; reloadTable: () => void }) {
  const said = route.useSearch();
  // A column by which rows were sorted may be called otherwise by now.
  const isKnown = [...table.columns, ...OWN_COLUMNS].some((column) => column.name === said.sort);
  const search = isKnown ? said : { ...said, sort: undefined };
  const { where = [], any, sort, descending, at, open } = search;
  const navigate = useNavigate({ from: "/data-tables/$tableId" });
  const set = (part: Partial<DataTableSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const { can } = useViewer();
  const mayWrite = can("TABLE_WRITE") && at === undefined;
  const rows = useTableRows(table.id, table.columns, search);
  const reload = () => {
    rows.reload();
    reloadTable();
  };
  useLive(RowsChanged, { table: table.id }, reload, {
    position: (event) => event.events.position,
    fromNow: true,
    enabled: at === undefined,
  });
  const [chosen, setChosen] = useState(NONE);
  const [adding, setAdding] = useState<string>();
  const [doing, setDoing] = useState<Doing>();
  const [update] = useChange(UpdateRow, {
    payload: (data) => data.updateTableRows,
    failed: "The cell was not written",
    quiet: true,
  });
  const write = async (row: TableRow, column: string, text: string) => {
    const conditions = [{ column: "id", condition: "EQ" as const, value: row.id }];
    const outcome = await update({ input: { table: table.id, conditions, cells: { [column]: written(text) } } });
    if (outcome.kind !== "done") return problemOf(outcome) ?? "It was not written: try again.";
    const [now] = outcome.payload.rows;
    if (now === undefined) return "The row is not there any more.";
    rows.put(now);
    return undefined;
  };
  const choose = (row: TableRow) => {
    const next = new Set(chosen);
    if (!next.delete(row.id)) next.add(row.id);
    setChosen(next);
  };
  const close = () => setDoing(undefined);
  const closeOpen = () => set({ open: undefined });
  const isNarrowed = where.length > 0;
  useKeys(
    [
      { keys: "/", does: "filter", run: () => setAdding(table.columns[0]?.name ?? "id") },
      ...(mayWrite
        ? [
            { keys: "n", does: "new row", run: () => set({ open: "row" }) },
            { keys: "i", does: "import rows", run: () => set({ open: "import" }) },
            { keys: "c", does: "add a column", run: () => set({ open: "column" }) },
          ]
        : []),
      { keys: "e", does: "export rows", run: () => set({ open: "export" }) },
      { keys: "Escape", does: "choose none", run: () => setChosen(NONE) },
    ],
    "Data table",
  );
  useActions([
    ...(mayWrite
      ? [
          { id: "data-table.row", label: "New row", keywords: "add insert", run: () => set({ open: "row" }) },
          { id: "data-table.column", label: "Add a column", run: () => set({ open: "column" }) },
          {
            id: "data-table.import",
            label: "Import rows",
            keywords: "csv json file",
            run: () => set({ open: "import" }),
          },
          { id: "data-table.rename", label: `Rename ${table.name}`, run: () => set({ open: "rename" }) },
        ]
      : []),
    { id: "data-table.export", label: "Export rows", keywords: "csv json file", run: () => set({ open: "export" }) },
  ]);
  const head = (column: TableColumn, isOwn: boolean) => {
    const isSorted = sort === column.name;
    const items: (MenuItem | "line")[] = [
      {
        label: "Sort upwards",
        checked: isSorted && descending !== true,
        run: () => set({ sort: column.name, descending: undefined }),
      },
      {
        label: "Sort downwards",
        checked: isSorted && descending === true,
        run: () => set({ sort: column.name, descending: true }),
      },
      ...(isSorted ? [{ label: "As they came in", run: () => set({ sort: undefined, descending: undefined }) }] : []),
      { label: "Filter by it", run: () => setAdding(column.name) },
      ...(mayWrite && !isOwn
        ? [
            "line" as const,
            { label: "Rename", run: () => setDoing({ kind: "renameColumn", column: column.name }) },
            {
              label: "Remove",
              isDangerous: true,
              disabled: table.columns.length === 1,
              run: () => setDoing({ kind: "removeColumn", column: column.name }),
            },
          ]
        : []),
    ];
    return (
      <Head
        column={column}
        isOwn={isOwn}
        arrow={isSorted ? (descending === true ? "↓" : "↑") : undefined}
        items={items}
      />
    );
  };
  return (
    <>
      <PageHeader
        title={table.name}
        above={<Above at={at} />}
        actions={
          <>
            <MomentField key={at} value={at} onChange={(next) => next !== at && set({ at: next })} />
            <Button onClick={() => set({ open: "export" })}>Export</Button>
            {mayWrite && (
              <>
                <Button onClick={() => set({ open: "import" })}>Import</Button>
                <Button kind="primary" onClick={() => set({ open: "row" })}>
                  <Icon name="plus" /> New row
                </Button>
              </>
            )}
            <Menu
              trigger={<IconButton kind="plain" label="More" icon={<Icon name="more" />} />}
              items={[
                {
                  label: "See who changed its rows",
                  run: () => void navigate({ to: "/events", search: { stream: `data-table/${table.id}` } }),
                },
                ...(mayWrite
                  ? [
                      { label: "Add a column", run: () => set({ open: "column" }) },
                      { label: "Rename", run: () => set({ open: "rename" }) },
                      "line" as const,
                      {
                        label: isNarrowed ? "Delete all rows that are shown" : "Delete all rows",
                        isDangerous: true,
                        disabled: rows.count === 0,
                        run: () => setDoing({ kind: "deleteShown" }),
                      },
                      { label: "Delete the table", isDangerous: true, run: () => setDoing({ kind: "deleteTable" }) },
                    ]
                  : []),
              ]}
            />
          </>
        }
      >
        <Counted rows={rows} all={table.rowCount} isNarrowed={isNarrowed} />
      </PageHeader>
      {at !== undefined && <AsItWas at={at} onNow={() => set({ at: undefined })} />}
      <FilterBar
        columns={table.columns}
        where={where}
        isAny={any === true}
        adding={adding}
        onAdding={setAdding}
        onChange={(next, isAny) =>
          set({ where: next.length > 0 ? [...next] : undefined, any: isAny && next.length > 1 ? true : undefined })
        }
      />
      {chosen.size > 0 && mayWrite && (
        <div className="flex items-center gap-2 border-b bg-accent-soft px-4 py-1.5 text-[13px] md:px-6">
          <span role="status">{chosen.size} chosen</span>
          <Button size="small" kind="danger" onClick={() => setDoing({ kind: "deleteRows" })}>
            Delete
          </Button>
          <Button size="small" kind="quiet" onClick={() => setChosen(NONE)}>
            None
          </Button>
        </div>
      )}
      <Grid
        label={`Rows of ${table.name}`}
        rows={rows}
        columns={table.columns}
        order={sort === undefined ? undefined : { column: sort, descending: descending === true }}
        head={head}
        onWrite={mayWrite ? write : undefined}
        chosen={chosen}
        onChoose={mayWrite ? choose : undefined}
        empty={
          <NoRows
            isNarrowed={isNarrowed}
            at={at}
            mayWrite={mayWrite}
            table={table}
            onAll={() => set({ where: undefined, any: undefined })}
            onOpen={(dialog) => set({ open: dialog })}
          />
        }
      />
      <Hints mayWrite={mayWrite} />
      <TableDialogs
        table={table}
        doing={doing}
        chosen={chosen}
        rows={rows}
        search={search}
        open={mayWrite || open === "export" ? open : undefined}
        onClose={close}
        onCloseOpen={closeOpen}
        onChanged={reload}
        onColumn={(column, name) => {
          set(withoutOldName(said, column, name));
          reloadTable();
        }}
        onDeleted={() => setChosen(NONE)}
      />
    </>
  );
}

function Head({
  column,
  isOwn,
  arrow,
  items,
}: {
  column: TableColumn;
  isOwn: boolean;
  arrow: string | undefined;
  items: (MenuItem | "line")[];
}) {
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          className="flex h-full w-full min-w-0 items-center gap-1.5 px-2.5 text-left font-medium text-muted outline-offset-[-2px] hover:bg-hover hover:text-text"
        >
          <span className="truncate">{column.name}</span>
          {arrow !== undefined && <span aria-hidden>{arrow}</span>}
          {!isOwn && <span className="ml-auto font-normal lowercase">{column.type}</span>}
        </button>
      }
      items={items}
    />
  );
}

function Counted({ rows, all, isNarrowed }: { rows: ShownRows; all: number; isNarrowed: boolean }) {
  if (!isNarrowed || rows.count === undefined) return <>{all === 1 ? "1 row" : `${all.toLocaleString()} rows`}</>;
  return (
    <>
      {rows.count.toLocaleString()} of {all.toLocaleString()} rows
    </>
  );
}

function AsItWas({ at, onNow }: { at: string; onNow: () => void }) {
  return (
    <div className="flex flex-wrap items-center gap-2 border-b bg-info-soft px-4 py-1.5 text-[13px] text-info md:px-6">
      <span>
        As it was {/^\d+$/.test(at) ? `right after the event at #${at}` : `at ${instant(at)}`}: nothing can be written
        here.
      </span>
      <Button size="small" onClick={onNow}>
        Back to now
      </Button>
    </div>
  );
}

function Hints({ mayWrite }: { mayWrite: boolean }) {
  const hints: [string, string][] = [
    ["/", "filter"],
    ...(mayWrite
      ? ([
          ["Enter", "write a cell"],
          ["Delete", "empty it"],
          ["Space", "choose the row"],
          ["n", "new row"],
        ] as [string, string][])
      : []),
  ];
  return (
    <p className="hidden items-center gap-3 border-t bg-surface px-6 py-1.5 text-xs text-muted md:flex">
      {hints.map(([keys, does]) => (
        <span key={keys}>
          <Kbd keys={keys} /> {does}
        </span>
      ))}
    </p>
  );
}

interface NoRowsProps {
  isNarrowed: boolean;
  at: string | undefined;
  mayWrite: boolean;
  table: TableShown;
  onAll: () => void;
  onOpen: (dialog: "row" | "import") => void;
}

function NoRows({ isNarrowed, at, mayWrite, table, onAll, onOpen }: NoRowsProps) {
  if (isNarrowed)
    return (
      <EmptyState icon="search" title="No row is so" action={<Button onClick={onAll}>Show all rows</Button>}>
        None of the {table.rowCount.toLocaleString()} rows of {table.name} is as the filter says.
      </EmptyState>
    );
  if (!mayWrite)
    return (
      <EmptyState icon="table" title={at === undefined ? "No rows yet" : "It had no rows then"}>
        {at === undefined && "Workflows put rows in by the node Data table. Writing them by hand needs table:write."}
      </EmptyState>
    );
  return (
    <EmptyState
      icon="table"
      title="No rows yet"
      action={
        <div className="mt-1 flex gap-2">
          <Button kind="primary" onClick={() => onOpen("row")}>
            New row
          </Button>
          <Button onClick={() => onOpen("import")}>Import a file</Button>
        </div>
      }
    >
      Workflows put rows in by the node Data table; you can write them here, or take them from a file:{" "}
      <code className="text-xs break-all">
        timeloom table insert {table.name} FILE.csv --server {location.origin}
      </code>
    </EmptyState>
  );
}
