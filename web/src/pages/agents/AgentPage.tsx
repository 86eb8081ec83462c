import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useChange, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { AgentPageQuery } from "@/gql/graphql";
import {
  Button,
  ConfirmDialog,
  EmptyState,
  ErrorState,
  Icon,
  IconButton,
  Menu,
  PageHeader,
  Skeleton,
  Tabs,
  wordsOf,
} from "@/ui";
import { AgentConfiguration } from "./AgentConfiguration";
import { AgentMemory } from "./AgentMemory";
import { AgentTools } from "./AgentTools";
import { AgentVersions } from "./AgentVersions";
import { AgentStateBadge, StatusFilter } from "./AgentsPage";
import { Deprecate, Retire } from "./changes";
import { OneAgent } from "./documents";
import { recordOf } from "./record";
import { Runs } from "./Runs";
import { AGENT_TABS } from "./search";
import { StartRun } from "./StartRun";

export type AgentShown = NonNullable<AgentPageQuery["agent"]>;

const AgentChanged = graphql(`
  subscription AgentChanged($name: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "agent", id: $name } }) {
      position
    }
  }
`);

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/agents/$agentName");

export function AgentPage() {
  const { agentName } = route.useParams();
  usePageTitle(agentName, "Agents");
  const waitFor = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({ query: OneAgent, variables: { name: agentName, waitFor } });
  useLive(AgentChanged, { name: agentName }, () => again({ requestPolicy: "network-only" }), {
    position: (event) => event.events.position,
    fromNow: true,
  });
  const above = <Link to="/agents">Agents</Link>;
  const agent = data?.agent;
  if (agent?.name === agentName) return <Shown agent={agent} />;
  return (
    <>
      <PageHeader title={agentName} above={above} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-6 w-1/2" />
          <Skeleton className="h-24" />
        </div>
      ) : (
        <EmptyState icon="agent" title="There is no agent of this name">
          It may have been misspelt.{" "}
          <Link to="/agents" className="text-accent underline">
            See all agents
          </Link>
          .
        </EmptyState>
      )}
    </>
  );
}

function Shown({ agent }: { agent: AgentShown }) {
  const { tab = "runs", status } = route.useSearch();
  const navigate = useNavigate({ from: "/agents/$agentName" });
  const { can } = useViewer();
  const [open, setOpen] = useState<"run" | "deprecate" | "retire" | undefined>();
  const close = () => setOpen(undefined);
  const [deprecate] = useChange(Deprecate, {
    payload: (data) => data.deprecateAgent,
    failed: "The agent was not changed",
  });
  const [retire] = useChange(Retire, {
    payload: (data) => data.retireAgent,
    done: "The agent was put away",
    failed: "The agent was not put away",
  });
  const mayRun = can("EXECUTION_RUN") && agent.newestVersion !== null && agent.state !== "RETIRED";
  const mayWrite = can("REGISTRY_WRITE") && agent.state !== "RETIRED";
  const go = (next: (typeof AGENT_TABS)[number]) =>
    void navigate({ search: (before) => ({ ...before, tab: next === "runs" ? undefined : next }), replace: true });
  const step = (by: number) => {
    const place = AGENT_TABS.indexOf(tab) + by;
    go(AGENT_TABS[(place + AGENT_TABS.length) % AGENT_TABS.length] ?? "runs");
  };
  useKeys(
    [
      ...(mayRun ? [{ keys: "r", does: "run it", run: () => setOpen("run") }] : []),
      { keys: "]", does: "next tab", run: () => step(1) },
      { keys: "[", does: "tab before", run: () => step(-1) },
    ],
    "Agent",
  );
  useActions(mayRun ? [{ id: "agent.run", label: `Run ${agent.name}`, run: () => setOpen("run") }] : []);
  const record = recordOf(agent.newestVersion?.record);
  return (
    <>
      <PageHeader
        above={
          <Link to="/agents" className="hover:underline">
            Agents
          </Link>
        }
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{agent.name}</span>
            <AgentStateBadge state={agent.state} />
          </span>
        }
        actions={
          <>
            {tab === "runs" && (
              <StatusFilter
                status={status}
                onChange={(next) => void navigate({ search: (before) => ({ ...before, status: next }) })}
              />
            )}
            {mayRun && (
              <Button kind="primary" onClick={() => setOpen("run")}>
                <Icon name="play" /> Run
              </Button>
            )}
            {mayWrite && (
              <Menu
                trigger={<IconButton kind="plain" label="More" icon={<Icon name="more" />} />}
                items={[
                  {
                    label: "Say that it should not be used",
                    run: () => setOpen("deprecate"),
                    disabled: agent.state === "DRAFT",
                  },
                  "line",
                  { label: "Put it away for good", isDangerous: true, run: () => setOpen("retire") },
                ]}
              />
            )}
          </>
        }
      >
        <span className="block max-w-3xl truncate" title={agent.description}>
          {agent.description}
        </span>
        {agent.deprecatedReason != null && (
          <span className="block text-warn">
            Should not be used: {agent.deprecatedReason}
            {agent.replacement != null && (
              <>
                {" "}
                Use{" "}
                <Link to="/agents/$agentName" params={{ agentName: agent.replacement }} className="underline">
                  {agent.replacement}
                </Link>
                .
              </>
            )}
          </span>
        )}
      </PageHeader>
      <Tabs
        label="Agent"
        className={TABS_CLASS}
        value={tab}
        onChange={go}
        tabs={[
          { value: "runs", label: "Runs", content: <Runs agent={agent.name} status={status} /> },
          {
            value: "configuration",
            label: wordsFor("configuration"),
            content: <AgentConfiguration agent={agent} mayWrite={mayWrite} />,
          },
          { value: "tools", label: "Tools and limits", content: <AgentTools agent={agent} /> },
          {
            value: "versions",
            label: `Versions (${agent.versions.length})`,
            content: <AgentVersions agent={agent} mayWrite={mayWrite} />,
          },
          { value: "memory", label: "Memory", content: <AgentMemory agent={agent} mayWrite={mayWrite} /> },
        ]}
      />
      <StartRun
        agent={agent.name}
        schema={record.input_schema}
        hasMemory={record.memory !== undefined && record.memory !== null}
        isOpen={open === "run"}
        onClose={close}
      />
      <ConfirmDialog
        title="Say that it should not be used"
        isOpen={open === "deprecate"}
        onClose={close}
        confirm="Say so"
        reason="required"
        onConfirm={async (reason) =>
          (await deprecate({ input: { name: agent.name, reason: reason ?? "" } })).kind === "done"
        }
      >
        It can still be run. Whoever looks at it sees why they should not.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Put ${agent.name} away`}
        isOpen={open === "retire"}
        onClose={close}
        confirm="Put it away for good"
        isDangerous
        onConfirm={async () => (await retire({ input: { name: agent.name } })).kind === "done"}
      >
        It cannot be run any more, and its name stays taken. Its runs stay to be looked at.
      </ConfirmDialog>
    </>
  );
}

const wordsFor = (name: string) => wordsOf(name).replace(/^./, (first) => first.toUpperCase());
