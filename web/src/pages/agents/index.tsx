import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, usePager } from "@/api";
import { usePageTitle } from "@/app/title";
import type { AgentsListQuery } from "@/gql/graphql";
import { Badge, type Column, EmptyState, PageHeader, VirtualTable, wordsOf } from "@/ui";

const AgentsList = graphql(`
  query AgentsList($first: Int, $after: String, $waitFor: Position) {
    agents(first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        name
        description
        state
        owner
        newestVersion {
          version
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Row = AgentsListQuery["agents"]["nodes"][number];

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    cell: (row) => (
      <Link to="/agents/$agentName" params={{ agentName: row.name }} className="font-medium hover:underline">
        {row.name}
      </Link>
    ),
  },
  { key: "description", header: "What it does", wideOnly: true, cell: (row) => row.description },
  { key: "state", header: "State", width: "8rem", cell: (row) => <Badge>{wordsOf(row.state)}</Badge> },
  { key: "version", header: "Version", width: "6rem", align: "end", cell: (row) => row.newestVersion?.version ?? "–" },
];

export function AgentsPage() {
  usePageTitle("Agents");
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(AgentsList, { waitFor }, { connection: (data) => data.agents, keyOf: (row) => row.name });
  return (
    <>
      <PageHeader title="Agents" />
      <VirtualTable
        label="Agents"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.name}
        onOpen={(row) => void navigate({ to: "/agents/$agentName", params: { agentName: row.name } })}
        empty={
          <EmptyState icon="agent" title="No agents yet">
            An agent is a model with tools, limits and a record of all that it did. Register one by the API or the
            command line.
          </EmptyState>
        }
      />
    </>
  );
}

const agent = getRouteApi("/agents/$agentName");

export function AgentPage() {
  const { agentName } = agent.useParams();
  usePageTitle(agentName, "Agents");
  return <PageHeader title={agentName} above="Agent" />;
}

const run = getRouteApi("/agent-runs/$runId");

export function AgentRunPage() {
  const { runId } = run.useParams();
  usePageTitle("Agent run");
  return <PageHeader title={runId} above="Agent run" />;
}
