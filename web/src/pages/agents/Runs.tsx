import { Link, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, useNewest, usePager } from "@/api";
import type { AgentRunsListQuery } from "@/gql/graphql";
import { Badge, type Column, Elapsed, EmptyState, Money, StatusBadge, Time, VirtualTable } from "@/ui";
import { jsonText } from "@/ui/json-lines";
import { RunsList, useCurrency } from "./documents";
import type { RunStatus } from "./search";

type Row = AgentRunsListQuery["agentRuns"]["nodes"][number];

const RunsChanged = graphql(`
  subscription AgentRunsChanged($resumeFrom: Position) {
    events(
      resumeFrom: $resumeFrom
      filter: {
        types: [
          "AgentRunStarted"
          "AgentRunForked"
          "AgentRunCompleted"
          "AgentRunFailed"
          "AgentRunCancelled"
          "AgentRunPaused"
          "AgentRunResumed"
          "AgentApprovalRequested"
          "AgentApprovalGiven"
          "AgentApprovalDenied"
        ]
      }
    ) {
      position
      streamId
    }
  }
`);

const LIST = { connection: (data: AgentRunsListQuery) => data.agentRuns, keyOf: (row: Row) => row.id };

const textOf = (value: unknown) => (typeof value === "string" ? value : jsonText(value));

function columns(currency: string, hasAgent: boolean): Column<Row>[] {
  const all: (Column<Row> | false)[] = [
    {
      key: "input",
      header: "Given",
      width: "minmax(6rem, 1.4fr)",
      cell: (row) => (
        <Link to="/agent-runs/$runId" params={{ runId: row.id }} className="font-medium hover:underline">
          {textOf(row.input)}
        </Link>
      ),
    },
    hasAgent && { key: "agent", header: "Agent", width: "7rem", wideOnly: true, cell: (row) => row.agentName },
    {
      key: "status",
      header: "Status",
      width: "10.5rem",
      cell: (row) => (
        <span className="inline-flex items-center gap-1.5">
          <StatusBadge status={row.status} />
          {row.lineage && <Badge>fork</Badge>}
        </span>
      ),
    },
    {
      key: "why",
      header: "Why not",
      width: "minmax(0, 0.6fr)",
      wideOnly: true,
      cell: (row) => <span className="text-bad">{row.failureCode}</span>,
    },
    { key: "turns", header: "Turns", width: "3rem", align: "end", wideOnly: true, cell: (row) => row.turn },
    { key: "tools", header: "Tools", width: "3rem", align: "end", wideOnly: true, cell: (row) => row.toolCalls },
    {
      key: "cost",
      header: "Cost",
      width: "5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Money amount={row.cost} currency={currency} />,
    },
    {
      key: "started",
      header: "Started",
      width: "6.5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Time value={row.startedAt} />,
    },
    {
      key: "took",
      header: "Took",
      width: "5rem",
      align: "end",
      wideOnly: true,
      cell: (row) => <Elapsed from={row.startedAt} to={row.endedAt} />,
    },
  ];
  return all.filter((column) => column !== false);
}

/** Runs, newest first, of one agent or of all. */
export function Runs({ agent, status }: { agent?: string; status?: RunStatus }) {
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const currency = useCurrency();
  const rows = usePager(RunsList, { agent, status, waitFor }, LIST);
  const look = useNewest(RunsList, { agent, status, waitFor }, rows, LIST);
  useLive(RunsChanged, {}, look, { position: (data) => data.events.position, fromNow: true });
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <VirtualTable
        label="Runs"
        rows={rows}
        columns={columns(currency, agent === undefined)}
        keyOf={(row) => row.id}
        onOpen={(row) => void navigate({ to: "/agent-runs/$runId", params: { runId: row.id } })}
        empty={
          <EmptyState icon="execution" title={status === undefined ? "No runs yet" : "No run has this status"}>
            {status === undefined
              ? "A run gives an agent a task. Everything that happens in it is an event: questions, answers, calls of tools, approvals. Start one by “Run” on an agent's page."
              : "Choose another status to see more."}
          </EmptyState>
        }
      />
    </div>
  );
}
