import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, useChange } from "@/api";
import type { HomeApprovalsQuery } from "@/gql/graphql";
import { Button, Dialog, Field, JsonView, Textarea, Time } from "@/ui";
import { HomeApprovals, HomeGiveApproval } from "./documents";
import { MORE, Section } from "./Section";

type Run = HomeApprovalsQuery["agentRuns"]["nodes"][number];

/** Agents that may not go on before somebody says so. */
export function Approvals({ waitFor, canRun }: { waitFor: string | undefined; canRun: boolean }) {
  const [{ data, error }, again] = useQuery({ query: HomeApprovals, variables: { waitFor } });
  const [asked, setAsked] = useState<Run | undefined>();
  const runs = data?.agentRuns.nodes ?? [];
  const fault = error && !data ? faultOf(error) : undefined;
  if (fault?.kind === "forbidden") return null;
  return (
    <Section
      title="Agents that ask for approval"
      count={runs.length > 0 ? `${runs.length}${data?.agentRuns.pageInfo.hasNextPage === true ? "+" : ""}` : undefined}
      isLoading={!data && !error}
      fault={fault}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && runs.length === 0 ? "None asks" : undefined}
      more={
        <Link to="/agents" className={MORE}>
          Agents
        </Link>
      }
    >
      <ul className="divide-y">
        {runs.map((run) => (
          <li key={run.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
            <div className="min-w-0 flex-1 basis-40">
              <Link
                to="/agent-runs/$runId"
                params={{ runId: run.id }}
                className="block truncate text-[13px] font-medium hover:underline"
              >
                {run.agentName}
              </Link>
              <div className="truncate text-xs text-muted">
                wants to call <code className="font-mono">{run.waitsFor?.tool ?? "a tool"}</code> · began{" "}
                <Time value={run.startedAt} />
                {typeof run.waitsFor?.expiresAt === "string" && (
                  <>
                    {" "}
                    · until <Time value={run.waitsFor.expiresAt} />
                  </>
                )}
              </div>
            </div>
            {canRun && (
              <Button size="small" aria-label={`Look and decide: ${run.agentName}`} onClick={() => setAsked(run)}>
                Look and decide…
              </Button>
            )}
          </li>
        ))}
      </ul>
      {asked && <DecideDialog run={asked} onClose={() => setAsked(undefined)} />}
    </Section>
  );
}

function DecideDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const [note, setNote] = useState("");
  const [give, isGiving] = useChange(HomeGiveApproval, {
    payload: (data) => data.giveApproval,
    failed: "Your answer was not taken",
  });
  const { waitsFor } = run;
  const answer = async (approves: boolean) => {
    // The call that was looked at is the one that is decided on.
    const outcome = await give({ input: { runId: run.id, call: waitsFor?.call, approves, note: note.trim() } });
    if (outcome.kind === "done") onClose();
  };
  return (
    <Dialog
      title={`${run.agentName} wants to call ${waitsFor?.tool ?? "a tool"}`}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="danger" isBusy={isGiving} disabled={note.trim() === ""} onClick={() => void answer(false)}>
            Refuse
          </Button>
          <Button kind="primary" isBusy={isGiving} onClick={() => void answer(true)}>
            Approve
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        {waitsFor?.reason === "interrupted" && (
          <p className="text-warn">The call was begun and cut off: it may have happened already.</p>
        )}
        {waitsFor?.reason === "tools_changed" && (
          <p className="text-warn">The server lists other tools than those it was granted for. May they be used?</p>
        )}
        <div className="overflow-hidden rounded-md border">
          <JsonView label="the arguments" value={waitsFor?.arguments ?? {}} depth={4} className="max-h-72" />
        </div>
        <Field label="Note" hint="The agent's model is told why a call is refused, so that a refusal needs one.">
          <Textarea rows={2} maxLength={1000} value={note} onChange={(event) => setNote(event.target.value)} />
        </Field>
      </div>
    </Dialog>
  );
}
