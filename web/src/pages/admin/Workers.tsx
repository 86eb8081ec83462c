import { faultOf, graphql, usePolling, useViewer } from "@/api";
import type { AdminInferenceWorkersQuery, AdminWorkersQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, ErrorState, Skeleton, Table, Time, wordsOf } from "@/ui";
import { SectionHead } from "./parts";

const AdminWorkers = graphql(`
  query AdminWorkers {
    workers {
      id
      address
      roles
      shards
      live
      startedAt
      heartbeatAt
    }
  }
`);

const AdminInferenceWorkers = graphql(`
  query AdminInferenceWorkers {
    inferenceWorkers(first: 100, stopped: false) {
      nodes {
        id
        draining
        history {
          createdAt
        }
        loadFailed {
          modelName
          version
          reason
        }
        loads(first: 20) {
          nodes {
            id
            model {
              name
            }
          }
        }
        machine {
          cores
          architecture
          runtime
          runtimeMissing
          gpus
          gpuMissing
        }
      }
    }
  }
`);

type Row = AdminWorkersQuery["workers"][number];
type InferenceRow = AdminInferenceWorkersQuery["inferenceWorkers"]["nodes"][number];

const SHARDS = 64;

const COLUMNS: Column<Row>[] = [
  { key: "address", header: "Process", cell: (row) => <span className="font-medium">{row.address}</span> },
  {
    key: "state",
    header: "State",
    cell: (row) => (row.live ? <Badge tone="good">live</Badge> : <Badge tone="bad">not heard of</Badge>),
  },
  { key: "roles", header: "Does", cell: (row) => row.roles.map((role) => wordsOf(role)).join(", ") },
  {
    key: "shards",
    header: "Drives of all executions",
    align: "end",
    wideOnly: true,
    cell: (row) => `${Math.round((row.shards.length / SHARDS) * 100)} %`,
  },
  { key: "started", header: "Started", align: "end", wideOnly: true, cell: (row) => <Time value={row.startedAt} /> },
  {
    key: "heard",
    header: "Last heard of",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.heartbeatAt} />,
  },
];

const INFERENCE: Column<InferenceRow>[] = [
  {
    key: "id",
    header: "Worker",
    cell: (row) => (
      <code className="text-xs whitespace-nowrap" title={row.id}>
        …{row.id.slice(-12)}
      </code>
    ),
  },
  {
    key: "state",
    header: "State",
    cell: (row) =>
      row.draining ? (
        <Badge tone="warn">draining</Badge>
      ) : row.loadFailed ? (
        <span title={row.loadFailed.reason}>
          <Badge tone="warn">{`${row.loadFailed.modelName} ${row.loadFailed.version} did not load`}</Badge>
        </span>
      ) : (
        <Badge tone="good">ready</Badge>
      ),
  },
  {
    key: "loaded",
    header: "Has in memory",
    cell: (row) => row.loads.nodes.map((load) => load.model?.name ?? "a model").join(", ") || "nothing",
  },
  {
    key: "machine",
    header: "Machine",
    wideOnly: true,
    cell: ({ machine }) =>
      machine
        ? `${machine.cores} cores, ${machine.architecture}${machine.gpus.length > 0 ? `, ${machine.gpus.join(", ")}` : ""}`
        : "–",
  },
  {
    key: "runtime",
    header: "Runtime",
    wideOnly: true,
    cell: ({ machine }) => machine?.runtime ?? machine?.runtimeMissing ?? "–",
  },
  {
    key: "started",
    header: "Started",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.history.createdAt} />,
  },
];

const EVERY_MS = 5_000;

/** The processes that work on this log, and those that compute models. */
export function Workers() {
  const { can } = useViewer();
  const [{ data, error }, again] = usePolling(AdminWorkers, {}, EVERY_MS);
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  return (
    <>
      <SectionHead title="Workers">
        The processes that work on this log. A log in a data folder has one; a database may have many.
      </SectionHead>
      <div className="min-h-0 flex-1 overflow-auto md:px-3">
        {data ? (
          <Table label="Processes" rows={data.workers} columns={COLUMNS} keyOf={(row) => row.id} />
        ) : (
          <div className="p-4">
            <Skeleton className="h-5" />
          </div>
        )}
        <h3 className="px-3 pt-6 pb-2 text-[13px] font-semibold">Inference workers</h3>
        {can("REGISTRY_READ") ? (
          <Inference />
        ) : (
          <p className="px-3 text-sm text-muted">Seeing these needs registry:read.</p>
        )}
      </div>
    </>
  );
}

function Inference() {
  const [{ data, error }, again] = usePolling(AdminInferenceWorkers, {}, EVERY_MS);
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  if (!data)
    return (
      <div className="p-4">
        <Skeleton className="h-5" />
      </div>
    );
  return (
    <Table
      label="Inference workers"
      rows={data.inferenceWorkers.nodes}
      columns={INFERENCE}
      keyOf={(row) => row.id}
      empty={
        <EmptyState icon="model" title="Nobody computes models at present">
          A process begins to when a model is asked for the first time, and is listed here with its machine and what it
          has in memory.
        </EmptyState>
      }
    />
  );
}
