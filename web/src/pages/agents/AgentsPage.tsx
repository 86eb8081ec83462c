import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { graphql, useLastWrite, useLive, useNewest, usePager, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { AgentsListQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  type Column,
  EmptyState,
  Field,
  Icon,
  PageHeader,
  Select,
  Tabs,
  Time,
  type Tone,
  VirtualTable,
  wordsOf,
} from "@/ui";
import { RegisterAgent } from "./RegisterAgent";
import { Runs } from "./Runs";
import { RUN_STATUSES, type RunStatus } from "./search";

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
          kind
          model
          tools
        }
        runs(first: 1) {
          nodes {
            id
            startedAt
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const AgentsChanged = graphql(`
  subscription AgentsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["agent"] }) {
      position
    }
  }
`);

type Row = AgentsListQuery["agents"]["nodes"][number];

const LIST = { connection: (data: AgentsListQuery) => data.agents, keyOf: (row: Row) => row.name };

const TONES: Record<string, Tone> = { ACTIVE: "good", DEPRECATED: "warn", DRAFT: "neutral", RETIRED: "neutral" };

export function AgentStateBadge({ state }: { state: string }) {
  return <Badge tone={TONES[state] ?? "neutral"}>{wordsOf(state)}</Badge>;
}

const COLUMNS: Column<Row>[] = [
  {
    key: "name",
    header: "Name",
    width: "minmax(7rem, 14rem)",
    cell: (row) => (
      <Link to="/agents/$agentName" params={{ agentName: row.name }} className="font-medium hover:underline">
        {row.name}
      </Link>
    ),
  },
  {
    key: "description",
    header: "What it is for",
    wideOnly: true,
    cell: (row) => <span className="text-muted">{row.description}</span>,
  },
  { key: "state", header: "State", width: "6.5rem", cell: (row) => <AgentStateBadge state={row.state} /> },
  { key: "model", header: "Route", width: "8rem", wideOnly: true, cell: (row) => row.newestVersion?.model ?? "–" },
  {
    key: "tools",
    header: "Tools",
    width: "4rem",
    align: "end",
    wideOnly: true,
    cell: (row) => row.newestVersion?.tools.length ?? 0,
  },
  {
    key: "version",
    header: "Version",
    width: "4.5rem",
    align: "end",
    cell: (row) => row.newestVersion?.version ?? "–",
  },
  {
    key: "run",
    header: "Last run",
    width: "7rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.runs.nodes[0]?.startedAt} />,
  },
];

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/agents");

export function AgentsPage() {
  usePageTitle("Agents");
  const { tab, status, register } = route.useSearch();
  const navigate = useNavigate({ from: "/agents" });
  const { can } = useViewer();
  const setRegister = (isOpen: boolean) =>
    void navigate({ search: (before) => ({ ...before, register: isOpen ? (true as const) : undefined }) });
  const mayWrite = can("REGISTRY_WRITE");
  useKeys(mayWrite ? [{ keys: "n", does: "register an agent", run: () => setRegister(true) }] : [], "Agents");
  useActions(mayWrite ? [{ id: "agents.register", label: "Register an agent", run: () => setRegister(true) }] : []);
  return (
    <>
      <PageHeader
        title="Agents"
        actions={
          <>
            {tab === "runs" && (
              <StatusFilter
                status={status}
                onChange={(next) => void navigate({ search: (before) => ({ ...before, status: next }) })}
              />
            )}
            {mayWrite && (
              <Button kind="primary" onClick={() => setRegister(true)}>
                <Icon name="plus" /> Register
              </Button>
            )}
          </>
        }
      />
      <Tabs
        label="Agents and runs"
        className={TABS_CLASS}
        value={tab ?? "agents"}
        onChange={(next) =>
          void navigate({ search: (before) => ({ ...before, tab: next === "runs" ? next : undefined }) })
        }
        tabs={[
          {
            value: "agents",
            label: "Agents",
            content: <AgentList onRegister={mayWrite ? () => setRegister(true) : undefined} />,
          },
          { value: "runs", label: "Runs", content: <Runs status={status} /> },
        ]}
      />
      <RegisterAgent isOpen={register === true} onClose={() => setRegister(false)} />
    </>
  );
}

export function StatusFilter({ status, onChange }: { status?: RunStatus; onChange: (status?: RunStatus) => void }) {
  return (
    <Field label="Status" hideLabel className="w-44">
      <Select<RunStatus | "">
        value={status ?? ""}
        choices={[
          { value: "", label: "any status" },
          ...RUN_STATUSES.map((value) => ({ value, label: wordsOf(value) })),
        ]}
        onChange={(value) => onChange(value === "" ? undefined : value)}
      />
    </Field>
  );
}

function AgentList({ onRegister }: { onRegister?: () => void }) {
  const navigate = useNavigate();
  const waitFor = useLastWrite();
  const rows = usePager(AgentsList, { waitFor }, LIST);
  const look = useNewest(AgentsList, { waitFor }, rows, LIST);
  useLive(AgentsChanged, {}, look, { position: (data) => data.events.position, fromNow: true });
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-surface">
      <VirtualTable
        label="Agents"
        rows={rows}
        columns={COLUMNS}
        keyOf={(row) => row.name}
        onOpen={(row) => void navigate({ to: "/agents/$agentName", params: { agentName: row.name } })}
        empty={
          <EmptyState
            icon="agent"
            title="No agents yet"
            action={
              onRegister && (
                <Button kind="primary" className="mt-2" onClick={onRegister}>
                  Register an agent
                </Button>
              )
            }
          >
            An agent is a language model with a prompt, tools that it was granted, and limits. A run gives it a task,
            and everything that it does is written down. It asks models by a route of the gateway: set one up first.
          </EmptyState>
        }
      />
    </div>
  );
}
