import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { useQuery } from "urql";
import { faultOf, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { asOf } from "@/app/search";
import { usePageTitle } from "@/app/title";
import type { DataTablesListQuery } from "@/gql/graphql";
import { MomentField } from "@/parts/MomentField";
import {
  Button,
  CodeBlock,
  type Column,
  EmptyState,
  Icon,
  IconButton,
  Menu,
  PageHeader,
  type Rows,
  Time,
  VirtualTable,
  rowsOf,
} from "@/ui";
import { DeleteTable, Rename } from "./TableChanges";
import { CreateTable } from "./CreateTable";
import { AnyRowsChanged, DataTablesChanged, ListOfDataTables } from "./documents";
import type { DataTablesSearch } from "./search";

type Row = DataTablesListQuery["dataTables"][number];
interface Doing {
  kind: "rename" | "delete";
  table: Row;
}

const route = getRouteApi("/data-tables");

/** Before the first answer: one row that is on its way. */
const WAITING: Rows<Row> = { ...rowsOf<Row>([]), hasMore: true, isLoading: true, isEmpty: false };

export function DataTablesPage() {
  usePageTitle("Data tables");
  const { name, at, open } = route.useSearch();
  const navigate = useNavigate({ from: "/data-tables" });
  const set = (part: Partial<DataTablesSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  const { can } = useViewer();
  const mayWrite = can("TABLE_WRITE") && at === undefined;
  const field = useRef<HTMLInputElement>(null);
  const [doing, setDoing] = useState<Doing>();
  const [{ data, error }, again] = useQuery({
    query: ListOfDataTables,
    variables: { asOf: asOf(at) },
    requestPolicy: "cache-and-network",
  });
  const reload = () => again({ requestPolicy: "network-only" });
  const live = { position: (event: { events: { position: string } }) => event.events.position, fromNow: true };
  useLive(DataTablesChanged, {}, reload, { ...live, enabled: at === undefined });
  useLive(AnyRowsChanged, {}, reload, { ...live, enabled: at === undefined });
  const wanted = name?.toLowerCase() ?? "";
  const found = data?.dataTables.filter((table) => table.name.toLowerCase().includes(wanted));
  const rows = error && !data ? { ...rowsOf<Row>([]), fault: faultOf(error), reload } : found ? rowsOf(found) : WAITING;
  useKeys(
    [
      { keys: "/", does: "find by name", run: () => field.current?.focus() },
      ...(mayWrite ? [{ keys: "n", does: "new data table", run: () => set({ open: "new" }) }] : []),
    ],
    "Data tables",
  );
  useActions(
    mayWrite
      ? [{ id: "data-table.new", label: "New data table", keywords: "create make", run: () => set({ open: "new" }) }]
      : [],
  );
  const button = mayWrite && (
    <Button kind="primary" onClick={() => set({ open: "new" })}>
      <Icon name="plus" /> New
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Data tables"
        actions={
          <>
            <input
              ref={field}
              type="search"
              aria-label="Find by name"
              placeholder="Find by name"
              maxLength={128}
              value={name ?? ""}
              onChange={(event) => set({ name: event.target.value === "" ? undefined : event.target.value })}
              className="h-8 w-40 rounded-md border border-line-strong/60 bg-surface px-2.5 text-sm placeholder:text-muted md:w-56"
            />
            <MomentField key={at} value={at} onChange={(next) => next !== at && set({ at: next })} />
            {button}
          </>
        }
      />
      <VirtualTable
        label="Data tables"
        rows={rows}
        columns={columnsOf(at, mayWrite ? setDoing : undefined)}
        keyOf={(row) => row.id}
        onOpen={(row) =>
          void navigate({
            to: "/data-tables/$tableId",
            params: { tableId: row.id },
            search: at === undefined ? {} : { at },
          })
        }
        empty={<None name={name} at={at} onAll={() => set({ name: undefined, at: undefined })} button={button} />}
      />
      <CreateTable
        isOpen={open === "new" && mayWrite}
        onClose={() => set({ open: undefined })}
        onMade={(id) => void navigate({ to: "/data-tables/$tableId", params: { tableId: id } })}
      />
      {doing?.kind === "rename" && <Rename table={doing.table} onClose={() => setDoing(undefined)} />}
      {doing?.kind === "delete" && <DeleteTable table={doing.table} onClose={() => setDoing(undefined)} />}
    </>
  );
}

function columnsOf(at: string | undefined, onDo: ((doing: Doing) => void) | undefined): Column<Row>[] {
  return [
    {
      key: "name",
      header: "Name",
      width: "minmax(8rem, 1fr)",
      cell: (row) => (
        <Link
          to="/data-tables/$tableId"
          params={{ tableId: row.id }}
          search={at === undefined ? {} : { at }}
          className="font-medium hover:underline"
        >
          {row.name}
        </Link>
      ),
    },
    {
      key: "columns",
      header: "Columns",
      width: "minmax(0, 2fr)",
      wideOnly: true,
      cell: (row) => <span className="text-muted">{row.columns.map((column) => column.name).join(", ")}</span>,
    },
    {
      key: "rows",
      header: "Rows",
      width: "5rem",
      align: "end",
      cell: (row) => <span className="tabular-nums">{row.rowCount.toLocaleString()}</span>,
    },
    {
      key: "made",
      header: "Made",
      width: "8rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Time value={row.createdAt} />,
    },
    ...(onDo
      ? [
          {
            key: "do",
            header: <span className="sr-only">What can be done</span>,
            width: "2rem",
            cell: (row: Row) => (
              <Menu
                trigger={<IconButton size="small" label={`Change ${row.name}`} icon={<Icon name="more" />} />}
                items={[
                  { label: "Rename", run: () => onDo({ kind: "rename", table: row }) },
                  { label: "Delete", isDangerous: true, run: () => onDo({ kind: "delete", table: row }) },
                ]}
              />
            ),
          },
        ]
      : []),
  ];
}

interface NoneProps {
  name: string | undefined;
  at: string | undefined;
  onAll: () => void;
  button: React.ReactNode;
}

function None({ name, at, onAll, button }: NoneProps) {
  if (name !== undefined || at !== undefined)
    return (
      <EmptyState icon="search" title="No data table is so" action={<Button onClick={onAll}>Show all of now</Button>}>
        {name === undefined
          ? "There was none then."
          : `None has “${name}” in its name${at === undefined ? "" : ", then"}.`}
      </EmptyState>
    );
  return (
    <EmptyState icon="table" title="No data tables yet" action={<div className="mt-2">{button}</div>}>
      <p className="mb-3">
        A data table keeps rows here: a list of customers, what was sent already, a counter. Workflows read and write it
        by the node Data table, and it has its history: what was in it at any moment, and who wrote it.
      </p>
      <CodeBlock
        label="a table by the command line"
        code={`timeloom table create Customers --column name:string --column orders:number --server ${location.origin}`}
      />
    </EmptyState>
  );
}
