import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { faultOf, graphql, useChange, usePager, usePolling, useViewer } from "@/api";
import type { AdminParkedQuery, AdminProjectionsQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  type Column,
  ConfirmDialog,
  Dialog,
  EmptyState,
  ErrorState,
  PositionLink,
  Progress,
  Skeleton,
  Table,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";
import { counted } from "@/ui/counted";
import { Needs, SectionHead } from "./parts";

const AdminProjections = graphql(`
  query AdminProjections {
    head {
      position
    }
    projections {
      name
      position
      lag
      eventsPerSecond
      parkedCount
      role
      building {
        position
        lag
      }
      stopped {
        position
        reason
      }
      lastError {
        message
        secondsAgo
        over
      }
    }
  }
`);

const AdminParked = graphql(`
  query AdminParked($projection: String!, $first: Int, $after: String) {
    parkedEvents(projection: $projection, first: $first, after: $after) {
      nodes {
        position
        category
        streamId
        type
        error
        recordedAt
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AdminRebuild = graphql(`
  mutation AdminRebuild($input: RebuildProjectionsInput!) {
    rebuildProjections(input: $input) {
      timedOut
      errors {
        ...Errors
      }
    }
  }
`);

const AdminRetryParked = graphql(`
  mutation AdminRetryParked($input: RetryParkedEventsInput!) {
    retryParkedEvents(input: $input) {
      parkedCount
      timedOut
      errors {
        ...Errors
      }
    }
  }
`);

type Row = AdminProjectionsQuery["projections"][number];
type Parked = AdminParkedQuery["parkedEvents"]["nodes"][number];
const EVERY_MS = 2_000;

const route = getRouteApi("/admin/$section");

/** How far the rows that lists are made of are, and what keeps them. */
export function Projections() {
  const { projection } = route.useSearch();
  const navigate = useNavigate();
  const { can } = useViewer();
  const [rebuilt, setRebuilt] = useState<string | undefined>();
  const [{ data, error }, again] = usePolling(AdminProjections, {}, EVERY_MS);
  const open = (name: string | undefined) =>
    void navigate({ to: "/admin/$section", params: { section: "projections" }, search: { projection: name } });
  const [retry, isRetrying] = useChange(AdminRetryParked, {
    payload: (answer) => answer.retryParkedEvents,
    done: (payload) =>
      payload.parkedCount === null
        ? "It goes on"
        : payload.parkedCount === 0
          ? "No event is parked any more"
          : `Parked still: ${counted(payload.parkedCount, "event")}`,
    failed: "The parked events were not tried again",
  });
  const retryAll = async (names?: string[]) => {
    await retry({ input: { names } });
    again({ requestPolicy: "network-only" });
  };
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  const mayWrite = can("SYSTEM_WRITE");
  const parked = data?.projections.reduce((sum, one) => sum + one.parkedCount, 0) ?? 0;
  const columns: Column<Row>[] = [
    { key: "name", header: "Projection", cell: (row) => <span className="font-medium">{row.name}</span> },
    { key: "state", header: "State", cell: (row) => <State row={row} head={data?.head.position ?? "0"} /> },
    {
      key: "position",
      header: "Position",
      align: "end",
      wideOnly: true,
      cell: (row) => <PositionLink position={row.position} />,
    },
    {
      key: "lag",
      header: "Behind by",
      align: "end",
      cell: (row) => <span className="tabular-nums">{row.lag === 0 ? "–" : row.lag.toLocaleString()}</span>,
    },
    {
      key: "rate",
      header: "Events a second",
      align: "end",
      wideOnly: true,
      cell: (row) => <span className="tabular-nums">{Math.round(row.eventsPerSecond).toLocaleString()}</span>,
    },
    {
      key: "parked",
      header: "Parked",
      align: "end",
      cell: (row) =>
        row.parkedCount === 0 ? (
          "–"
        ) : (
          <Button size="small" kind="danger" onClick={() => open(row.name)}>
            {row.parkedCount}
          </Button>
        ),
    },
    {
      key: "do",
      header: <span className="sr-only">What can be done</span>,
      align: "end",
      cell: (row) =>
        mayWrite && (
          <Button size="small" kind="quiet" aria-label={`Rebuild ${row.name}`} onClick={() => setRebuilt(row.name)}>
            Rebuild
          </Button>
        ),
    },
  ];
  return (
    <>
      <SectionHead
        title="Projections"
        actions={
          <Needs permission="SYSTEM_WRITE">
            <Button disabled={parked === 0} isBusy={isRetrying} onClick={() => void retryAll()}>
              Try parked events again
            </Button>
            <Button onClick={() => setRebuilt("")}>Rebuild all</Button>
          </Needs>
        }
      >
        The rows that lists are made of. Each can be built again from the log at any time, while the present ones
        answer.
      </SectionHead>
      <div className="min-h-0 flex-1 overflow-auto md:px-3">
        {data ? (
          <Table label="Projections" rows={data.projections} columns={columns} keyOf={(row) => row.name} />
        ) : (
          <div className="flex flex-col gap-3 p-4">
            {Array.from({ length: 8 }, (_, place) => (
              <Skeleton key={String(place)} className="h-5" />
            ))}
          </div>
        )}
      </div>
      {rebuilt !== undefined && (
        <Rebuilding
          name={rebuilt === "" ? undefined : rebuilt}
          onClose={() => {
            setRebuilt(undefined);
            again({ requestPolicy: "network-only" });
          }}
        />
      )}
      {projection !== undefined && (
        <ParkedDialog name={projection} onClose={() => open(undefined)} onRetry={() => void retryAll([projection])} />
      )}
    </>
  );
}

function State({ row, head }: { row: Row; head: string }): ReactNode {
  if (row.stopped)
    return (
      <span className="flex flex-wrap items-center gap-2">
        <Badge tone="bad">stopped</Badge>
        <span className="text-xs">
          before #{row.stopped.position}: {row.stopped.reason}
        </span>
      </span>
    );
  if (row.building)
    return (
      <span className="flex min-w-32 items-center gap-2">
        <Badge tone="info">building</Badge>
        <Progress
          label={`How far ${row.name} is built`}
          value={Number(row.building.position)}
          max={Math.max(1, Number(head))}
        />
      </span>
    );
  if (row.lastError && !row.lastError.over)
    return (
      <span className="flex flex-wrap items-center gap-2">
        <Badge tone="warn">in trouble</Badge>
        <span className="text-xs">{row.lastError.message}</span>
      </span>
    );
  return (
    <Badge tone={row.role === "WRITER" ? "good" : "neutral"}>
      {row.role === "WRITER" ? (row.lag === 0 ? "up to date" : "catching up") : wordsOf(row.role)}
    </Badge>
  );
}

function Rebuilding({ name, onClose }: { name: string | undefined; onClose: () => void }) {
  const [rebuild] = useChange(AdminRebuild, {
    payload: (data) => data.rebuildProjections,
    done: "The rebuild has begun",
    failed: "Nothing is rebuilt",
  });
  return (
    <ConfirmDialog
      title={name === undefined ? "Rebuild all projections" : `Rebuild ${name}`}
      isOpen
      onClose={onClose}
      confirm="Rebuild"
      onConfirm={async () =>
        (await rebuild({ input: { names: name === undefined ? [] : [name], waitFor: "STARTED" } })).kind === "done"
      }
    >
      New rows are folded from the whole log beside the present ones, which answer meanwhile. Nothing is lost, and
      nothing is written into the log. It takes a while where the log is long, and goes on after a restart.
    </ConfirmDialog>
  );
}

const PARKED: Column<Parked>[] = [
  { key: "position", header: "Position", width: "5rem", cell: (row) => <PositionLink position={row.position} /> },
  { key: "type", header: "Event", cell: (row) => row.type },
  {
    key: "error",
    header: "Why",
    cell: (row) => (
      <span title={row.error ?? undefined}>{row.error ?? "waits for an earlier event of its stream"}</span>
    ),
  },
  { key: "time", header: "Recorded", width: "6rem", wideOnly: true, cell: (row) => <Time value={row.recordedAt} /> },
];

function ParkedDialog({ name, onClose, onRetry }: { name: string; onClose: () => void; onRetry: () => void }) {
  const rows = usePager(
    AdminParked,
    { projection: name },
    { connection: (data) => data.parkedEvents, keyOf: (row) => row.position, pageSize: 50 },
  );
  return (
    <Dialog
      title={`What ${name} could not fold`}
      size="large"
      isOpen
      onClose={onClose}
      footer={
        <Needs permission="SYSTEM_WRITE">
          <Button
            onClick={() => {
              onRetry();
              rows.reload();
            }}
          >
            Try them again
          </Button>
        </Needs>
      }
    >
      <div className="flex h-96 flex-col">
        <VirtualTable
          label="Parked events"
          rows={rows}
          columns={PARKED}
          keyOf={(row) => row.position}
          empty={
            <EmptyState icon="check" title="No event is parked">
              An event that cannot be folded is set aside here with its error, and everything else goes on.
            </EmptyState>
          }
        />
      </div>
    </Dialog>
  );
}
