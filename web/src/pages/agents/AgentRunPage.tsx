import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useChange, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { AgentRunPageQuery } from "@/gql/graphql";
import { Badge, Button, ConfirmDialog, EmptyState, ErrorState, Icon, PageHeader, Skeleton, StatusBadge } from "@/ui";
import { Approval } from "./Approval";
import { Cancel, Pause, Resume } from "./changes";
import { ForkRun, type ForkFrom } from "./ForkRun";
import { RunComparison } from "./RunComparison";
import { RunFacts } from "./RunFacts";
import { RunTimeline } from "./RunTimeline";
import { type RunEvent, timelineOf } from "./timeline";

const OneRun = graphql(`
  query AgentRunPage($id: UUID!, $asOf: AsOf, $waitFor: Position) {
    agentRun(id: $id, asOf: $asOf, waitFor: $waitFor) {
      id
      agentName
      version
      status
      input
      output
      failureCode
      failureMessage
      prompt
      model
      session
      turn
      toolCalls
      refusedCalls
      inputTokens
      outputTokens
      cost
      startedAt
      endedAt
      node
      execution {
        id
        workflow {
          name
        }
      }
      lineage {
        runId
        originId
        turn
      }
      waitsFor {
        call
        tool
        arguments
        reason
        expiresAt
      }
      forks(first: 50) {
        nodes {
          id
          status
          startedAt
          lineage {
            turn
          }
        }
      }
      history {
        revision
        updatedPosition
      }
    }
  }
`);

const RunEvents = graphql(`
  subscription AgentRunEvents($id: UUID!, $resumeFrom: Position) {
    agentRun(id: $id, resumeFrom: $resumeFrom) {
      position
      revision
      type
      recordedAt
      payload
      reason
      actor {
        kind
        displayName
      }
    }
  }
`);

export type RunShown = NonNullable<AgentRunPageQuery["agentRun"]>;

const ENDED = new Set(["COMPLETED", "FAILED", "CANCELLED"]);
const route = getRouteApi("/agent-runs/$runId");

export function AgentRunPage() {
  const { runId } = route.useParams();
  const { compare } = route.useSearch();
  if (compare !== undefined) return <RunComparison key={`${runId} ${compare}`} left={runId} right={compare} />;
  return <Run key={runId} runId={runId} />;
}

function Run({ runId }: { runId: string }) {
  const { position } = route.useSearch();
  const waitFor = useLastWrite();
  const asOf = position === undefined ? undefined : { position };
  const [{ data, error, fetching }, again] = useQuery({ query: OneRun, variables: { id: runId, asOf, waitFor } });
  const run = data?.agentRun;
  usePageTitle(run ? `Run of ${run.agentName}` : "Agent run");
  const { events, isLive, problem } = useRunEvents(runId, () => again({ requestPolicy: "network-only" }));
  if (run) {
    const until =
      position === undefined ? events : events.filter((event) => Number(event.position) <= Number(position));
    return <Shown run={run} events={until} isLive={isLive && !ENDED.has(run.status)} problem={problem?.message} />;
  }
  return (
    <>
      <PageHeader
        title="Agent run"
        above={
          <Link to="/agents" search={{ tab: "runs" }}>
            Runs of agents
          </Link>
        }
      />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          {[1, 2, 3, 4].map((place) => (
            <Skeleton key={place} className="h-16" />
          ))}
        </div>
      ) : (
        <EmptyState icon="agent" title={position === undefined ? "There is no such run" : "There was no such run then"}>
          <Link to="/agents" search={{ tab: "runs" }} className="text-accent underline">
            See all runs
          </Link>
        </EmptyState>
      )}
    </>
  );
}

/** All events of a run, and those that follow. What else is read of the run is read again a moment later. */
function useRunEvents(runId: string, onChange: () => void) {
  const [events, setEvents] = useState<readonly RunEvent[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const live = useLive(
    RunEvents,
    { id: runId },
    ({ agentRun: event }) => {
      setEvents((had) => (had.some((one) => one.position === event.position) ? had : [...had, event]));
      clearTimeout(timer.current);
      timer.current = setTimeout(onChange, 100);
    },
    { position: (data) => data.agentRun.position },
  );
  useEffect(() => () => clearTimeout(timer.current), []);
  return { events, ...live };
}

interface ShownProps {
  run: RunShown;
  events: readonly RunEvent[];
  isLive: boolean;
  problem: string | undefined;
}

type Open = "pause" | "cancel" | "approve" | "deny";

function Shown({ run, events, isLive, problem }: ShownProps) {
  const { position } = route.useSearch();
  const navigate = useNavigate({ from: "/agent-runs/$runId" });
  const { can } = useViewer();
  const [open, setOpen] = useState<Open | undefined>();
  const [forkFrom, setForkFrom] = useState<ForkFrom | undefined>();
  const steps = useMemo(() => timelineOf(events), [events]);
  const close = useCallback(() => setOpen(undefined), []);
  const [pause] = useChange(Pause, { payload: (data) => data.pauseAgentRun, failed: "The run was not paused" });
  const [resume, isResuming] = useChange(Resume, {
    payload: (data) => data.resumeAgentRun,
    failed: "The run does not go on",
  });
  const [cancel] = useChange(Cancel, { payload: (data) => data.cancelAgentRun, failed: "The run was not ended" });
  const mayChange = can("EXECUTION_RUN") && position === undefined;
  const isUnderWay = !ENDED.has(run.status);
  const canPause = mayChange && isUnderWay && run.status !== "PAUSED";
  const fork = mayChange ? (from: ForkFrom) => setForkFrom(from) : undefined;
  const forks = run.forks.nodes;
  const other = run.lineage?.runId ?? forks[0]?.id;
  const compare = (id: string) => void navigate({ search: (before) => ({ ...before, compare: id }) });
  const isAsked = mayChange && run.waitsFor !== null;
  useKeys(
    [
      ...(canPause ? [{ keys: "p", does: "pause", run: () => setOpen("pause") }] : []),
      ...(fork ? [{ keys: "f", does: "fork from its first turn", run: () => fork({ turn: 1 }) }] : []),
      ...(other !== undefined
        ? [{ keys: "c", does: "compare with its fork or origin", run: () => compare(other) }]
        : []),
      ...(isAsked
        ? [
            { keys: "a", does: "let the call happen", run: () => setOpen("approve") },
            { keys: "x", does: "do not let the call happen", run: () => setOpen("deny") },
          ]
        : []),
    ],
    "Agent run",
  );
  useActions(fork ? [{ id: "run.fork", label: "Fork this run", run: () => fork({ turn: 1 }) }] : []);
  return (
    <>
      <PageHeader
        above={
          <>
            <Link to="/agents/$agentName" params={{ agentName: run.agentName }} className="hover:underline">
              {run.agentName}
            </Link>{" "}
            · version {run.version}
          </>
        }
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{typeof run.input === "string" ? run.input : "Run"}</span>
            <StatusBadge status={run.status} />
            {isLive && <Badge tone="info">live</Badge>}
            {run.lineage && <Badge>fork</Badge>}
          </span>
        }
        actions={
          <>
            {fork && (
              <Button onClick={() => fork({ turn: 1 })}>
                <Icon name="fork" /> Fork
              </Button>
            )}
            {other !== undefined && (
              <Button onClick={() => compare(other)}>
                <Icon name="compare" /> Compare
              </Button>
            )}
            {canPause && (
              <Button onClick={() => setOpen("pause")}>
                <Icon name="pause" /> Pause
              </Button>
            )}
            {mayChange && run.status === "PAUSED" && (
              <Button kind="primary" isBusy={isResuming} onClick={() => void resume({ input: { runId: run.id } })}>
                <Icon name="play" /> Go on
              </Button>
            )}
            {mayChange && isUnderWay && (
              <Button kind="danger" onClick={() => setOpen("cancel")}>
                <Icon name="stop" /> End
              </Button>
            )}
          </>
        }
      />
      {position !== undefined && (
        <p role="status" className="border-b bg-info-soft px-4 py-1.5 text-[13px] text-info md:px-6">
          This is the run as it was at position {position}.{" "}
          <Link
            from="/agent-runs/$runId"
            search={(before) => ({ ...before, position: undefined })}
            className="underline"
          >
            See it as it is
          </Link>
        </p>
      )}
      <div className="grid min-h-0 flex-1 content-start gap-4 overflow-auto p-4 md:p-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-3">
          {run.waitsFor && (
            <Approval runId={run.id} asked={run.waitsFor} mayAnswer={mayChange} open={open} onOpen={setOpen} />
          )}
          {problem !== undefined && (
            <p role="alert" className="text-sm text-bad">
              Its events do not come any more: {problem}
            </p>
          )}
          {steps.length === 0 ? (
            <div className="flex flex-col gap-3" aria-busy="true">
              {[1, 2, 3].map((place) => (
                <Skeleton key={place} className="h-16" />
              ))}
            </div>
          ) : (
            <RunTimeline steps={steps} onFork={fork} />
          )}
        </div>
        <RunFacts run={run} onCompare={compare} />
      </div>
      <ConfirmDialog
        title="Pause the run"
        isOpen={open === "pause"}
        onClose={close}
        confirm="Pause it"
        reason="required"
        onConfirm={async (reason) => (await pause({ input: { runId: run.id, reason: reason ?? "" } })).kind === "done"}
      >
        What is under way ends; nothing new is asked or called until somebody lets it go on.
      </ConfirmDialog>
      <ConfirmDialog
        title="End the run"
        isOpen={open === "cancel"}
        onClose={close}
        confirm="End it"
        isDangerous
        reason="required"
        onConfirm={async (reason) => (await cancel({ input: { runId: run.id, reason: reason ?? "" } })).kind === "done"}
      >
        It comes to no answer. What it did until now stays, and can be forked.
      </ConfirmDialog>
      {forkFrom && <ForkRun run={run} steps={steps} from={forkFrom} onClose={() => setForkFrom(undefined)} />}
    </>
  );
}
