import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, usePager } from "@/api";
import { usePageTitle } from "@/app/title";
import type { ExecutionsListQuery } from "@/gql/graphql";
import {
  type Column,
  EXECUTION_STATUSES,
  Elapsed,
  EmptyState,
  Field,
  PageHeader,
  Select,
  StatusBadge,
  Time,
  VirtualTable,
  wordsOf,
} from "@/ui";

export const ExecutionRow = graphql(`
  fragment ExecutionRow on Execution {
    id
    status
    startedAt
    endedAt
    trigger
    errorMessage
    workflowId
    workflow {
      name
    }
  }
`);

const ExecutionsList = graphql(`
  query ExecutionsList($first: Int, $after: String, $status: ExecutionStatus, $workflow: UUID, $waitFor: Position) {
    executions(first: $first, after: $after, status: $status, workflowId: $workflow, waitFor: $waitFor) {
      nodes {
        ...ExecutionRow
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const ExecutionsChanged = graphql(`
  subscription ExecutionsChanged($resumeFrom: Position) {
    executionsChanged(resumeFrom: $resumeFrom) {
      position
      execution {
        ...ExecutionRow
      }
    }
  }
`);

type Row = ExecutionsListQuery["executions"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "workflow",
    header: "Workflow",
    cell: (row) => (
      <Link to="/executions/$executionId" params={{ executionId: row.id }} className="font-medium hover:underline">
        {row.workflow?.name ?? row.workflowId}
      </Link>
    ),
  },
  { key: "status", header: "Status", width: "7rem", cell: (row) => <StatusBadge status={row.status} /> },
  {
    key: "error",
    header: "Error",
    wideOnly: true,
    cell: (row) => <span className="text-bad">{row.errorMessage}</span>,
  },
  {
    key: "trigger",
    header: "Trigger",
    width: "7rem",
    wideOnly: true,
    cell: (row) => (row.trigger ? wordsOf(row.trigger) : "–"),
  },
  { key: "started", header: "Started", width: "8rem", cell: (row) => <Time value={row.startedAt} /> },
  {
    key: "took",
    header: "Took",
    width: "6rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Elapsed from={row.startedAt} to={row.endedAt} />,
  },
];

const route = getRouteApi("/executions");

export function ExecutionsPage() {
  usePageTitle("Executions");
  const { status, workflow } = route.useSearch();
  const navigate = useNavigate({ from: "/executions" });
  const waitFor = useLastWrite();
  const rows = usePager(
    ExecutionsList,
    { status, workflow, waitFor },
    { connection: (data) => data.executions, keyOf: (row) => row.id },
  );
  useLive(
    ExecutionsChanged,
    {},
    ({ executionsChanged: { execution } }) => {
      if (!execution || (status !== undefined && execution.status !== status)) return;
      if (workflow === undefined || execution.workflowId === workflow) rows.upsert(execution);
    },
    { position: (data) => data.executionsChanged.position, fromNow: true },
  );
  return (
    <>
      <PageHeader
        title="Executions"
        actions={
          <Field label="Status" hideLabel className="w-36">
            <Select
              value={status ?? ""}
              choices={[
                { value: "", label: "any status" },
                ...EXECUTION_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
              ]}
              onChange={(value) =>
                void navigate({ search: (before) => ({ ...before, status: value === "" ? undefined : value }) })
              }
            />
          </Field>
        }
      />
      <VirtualTable
        label="Executions"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/executions/$executionId", params: { executionId: row.id } })}
        empty={
          <EmptyState icon="execution" title={status === undefined ? "Nothing has run yet" : "None has this status"}>
            Start a workflow by its page, or let its trigger start it: publish and activate it.
          </EmptyState>
        }
      />
    </>
  );
}
