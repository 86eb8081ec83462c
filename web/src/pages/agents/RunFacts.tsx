import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { client, faultOf, graphql, sayFault } from "@/api";
import type { AgentRunCheckQuery } from "@/gql/graphql";
import { Badge, Button, Elapsed, Icon, Money, PositionLink, StatusBadge, Time } from "@/ui";
import { Facts } from "@/ui/Facts";
import { LongText } from "@/ui/Messages";
import { Copyable } from "@/ui/Copyable";
import { Panel } from "@/ui/Panel";
import { counted } from "@/ui/counted";
import type { RunShown } from "./AgentRunPage";
import { useCurrency } from "./documents";

const Check = graphql(`
  query AgentRunCheck($id: UUID!) {
    agentRunReplay(id: $id) {
      same
      events
      questions
      deviation {
        eventType
        message
        revision
      }
    }
  }
`);

/** What is beside a run's timeline. */
export function RunFacts({ run, onCompare }: { run: RunShown; onCompare: (id: string) => void }) {
  const currency = useCurrency();
  return (
    <aside aria-label="About this run" className="flex min-w-0 flex-col gap-3">
      <Panel title="About this run">
        <Facts
          facts={[
            run.failureCode == null
              ? undefined
              : [
                  "Failed",
                  <span key="failed" className="text-bad">
                    {run.failureCode}: {run.failureMessage}
                  </span>,
                ],
            ["Began", <Time key="began" value={run.startedAt} />],
            ["Took", <Elapsed key="took" from={run.startedAt} to={run.endedAt} />],
            ["Cost", <Money key="cost" amount={run.cost} currency={currency} />],
            ["Tokens", `${run.inputTokens.toLocaleString()} read, ${run.outputTokens.toLocaleString()} written`],
            ["Turns", run.turn],
            ["Tools", `${run.toolCalls} called${run.refusedCalls > 0 ? `, ${run.refusedCalls} refused` : ""}`],
            ["Route", run.model],
            run.session == null ? undefined : ["Session", run.session],
            run.execution == null
              ? undefined
              : [
                  "Asked by",
                  <Link
                    key="execution"
                    to="/executions/$executionId"
                    params={{ executionId: run.execution.id }}
                    className="text-accent hover:underline"
                  >
                    {run.execution.workflow?.name ?? "an execution"}
                    {run.node == null ? "" : `, ${run.node}`}
                  </Link>,
                ],
            ["Newest event", <PositionLink key="event" position={run.history.updatedPosition} />],
            ["Id", <Copyable key="id" text={run.id} label="Copy the run's id" />],
          ]}
        />
      </Panel>
      <ReplayCheck runId={run.id} />
      <Forks run={run} onCompare={onCompare} />
      <Panel title="Prompt">
        <LongText text={run.prompt} />
      </Panel>
    </aside>
  );
}

function ReplayCheck({ runId }: { runId: string }) {
  const [report, setReport] = useState<AgentRunCheckQuery["agentRunReplay"]>(null);
  const [isBusy, setBusy] = useState(false);
  const check = async () => {
    setBusy(true);
    const answer = await client.query(Check, { id: runId }, { requestPolicy: "network-only" }).toPromise();
    setBusy(false);
    if (answer.error) sayFault("The run was not checked", faultOf(answer.error));
    else setReport(answer.data?.agentRunReplay ?? null);
  };
  return (
    <Panel
      title="Replay check"
      actions={
        <Button size="small" isBusy={isBusy} onClick={() => void check()}>
          <Icon name="retry" /> Check
        </Button>
      }
    >
      {report === null ? (
        <p className="text-[13px] text-muted">
          Does the run once more from its records and tells whether they are what would have come. No model is asked,
          and no tool called.
        </p>
      ) : (
        <div role="status" className="text-[13px]">
          <Badge tone={report.same ? "good" : "bad"}>{report.same ? "the same" : "something is other"}</Badge>
          <p className="mt-1 text-muted">
            Looked at: {counted(report.events, "event")} and {counted(report.questions, "question")}.
          </p>
          {report.deviation && (
            <p className="mt-1 text-bad">
              Event {report.deviation.revision}, {report.deviation.eventType}: {report.deviation.message}
            </p>
          )}
        </div>
      )}
    </Panel>
  );
}

function Forks({ run, onCompare }: { run: RunShown; onCompare: (id: string) => void }) {
  const { lineage } = run;
  const forks = run.forks.nodes;
  return (
    <Panel title="Forks">
      {lineage && (
        <div className="mb-2 flex items-center gap-2 text-[13px]">
          <span className="flex-1">
            Goes on from turn {lineage.turn} of{" "}
            <Link to="/agent-runs/$runId" params={{ runId: lineage.runId }} className="text-accent hover:underline">
              another run
            </Link>
          </span>
          <Button size="small" onClick={() => onCompare(lineage.runId)}>
            Compare
          </Button>
        </div>
      )}
      {forks.length === 0 ? (
        <p className="text-[13px] text-muted">
          Nothing goes on from it. A fork takes what was said and done from its records, changes a prompt, a model or
          what a tool gave, and asks the model from there on.
        </p>
      ) : (
        <ul className="flex flex-col gap-1.5">
          {forks.map((fork) => (
            <li key={fork.id} className="flex items-center gap-2 text-[13px]">
              <Link to="/agent-runs/$runId" params={{ runId: fork.id }} className="text-accent hover:underline">
                from turn {fork.lineage?.turn ?? "?"}
              </Link>
              <StatusBadge status={fork.status} />
              <span className="flex-1 text-right text-muted">
                <Time value={fork.startedAt} />
              </span>
              <Button size="small" onClick={() => onCompare(fork.id)}>
                Compare
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
