import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { client, useChange } from "@/api";
import type { VersionsReplayCheckFragment } from "@/gql/graphql";
import { Badge, Button, Dialog, Field, Input, Skeleton, Switch } from "@/ui";
import { VersionsPublish, VersionsReplay, VersionsReplayReport } from "./documents";

/** How long one question waits for the report; then it is asked again. */
const WAIT_MS = 60_000;
const GATE_MS = 300_000;
const LAST_MAX = 1_000;

export interface PublishDialogProps {
  isOpen: boolean;
  onClose: () => void;
  workflowId: string;
  /** At which the draft was looked at: what somebody changed meanwhile is not published unseen. */
  revision: number;
  next: number;
  isActive: boolean;
  onPublished: (version: number) => void;
}

/** Makes the draft a version; before that, if wanted, the last executions are run again under it without touching the world. */
export function PublishDialog(props: PublishDialogProps) {
  return props.isOpen ? <OpenPublishDialog {...props} /> : null;
}

function OpenPublishDialog({ onClose, workflowId, revision, next, isActive, onPublished }: PublishDialogProps) {
  const [isGated, setGated] = useState(true);
  const [last, setLast] = useState("100");
  const [maxDiffer, setMaxDiffer] = useState("0");
  const [report, setReport] = useState<VersionsReplayCheckFragment | undefined>();
  const [isChecking, setChecking] = useState(false);
  const [refusals, setRefusals] = useState<readonly string[]>([]);
  const [startReplay] = useChange(VersionsReplay, {
    payload: (data) => data.startReplayCheck,
    failed: "The executions were not run again",
    quiet: true,
  });
  const [publish, isPublishing] = useChange(VersionsPublish, {
    payload: (data) => data.publishWorkflow,
    failed: `Version ${next} was not published`,
    // A draft that is what the newest version is makes no new one.
    done: ({ workflow }) =>
      workflow?.publishedVersion === next
        ? `Version ${next} is published`
        : `The draft is the same as version ${next - 1}: nothing was published`,
    quiet: true,
  });
  const lastCount = wholeNumber(last, 1, LAST_MAX);
  const differCount = wholeNumber(maxDiffer, 0, LAST_MAX);
  const isSound = !isGated || (lastCount !== undefined && differCount !== undefined);

  const check = async () => {
    if (lastCount === undefined) return;
    setChecking(true);
    setReport(undefined);
    setRefusals([]);
    const outcome = await startReplay({
      input: { workflowId, against: { draft: true }, last: lastCount, timeoutMs: WAIT_MS, executionIds: [] },
    });
    if (outcome.kind === "done" && outcome.payload.replayCheck) setReport(await ended(outcome.payload.replayCheck));
    else if (outcome.kind !== "fault" && outcome.kind !== "done")
      setRefusals(outcome.errors.map((error) => error.message));
    setChecking(false);
  };
  const go = async () => {
    setRefusals([]);
    const replayGate =
      isGated && lastCount !== undefined && differCount !== undefined
        ? { last: lastCount, maxDiffer: differCount, timeoutMs: GATE_MS }
        : undefined;
    const outcome = await publish({ input: { workflowId, expectedRevision: revision, replayGate } });
    if (outcome.kind === "done") {
      onPublished(outcome.payload.workflow?.publishedVersion ?? next);
      onClose();
    } else if (outcome.kind !== "fault") {
      const told = outcome.errors.flatMap((error) => [
        error.message,
        ...(error.problems ?? []).map((problem) => [problem.node, problem.message].filter(Boolean).join(": ")),
      ]);
      setRefusals(told);
    }
  };

  return (
    <Dialog
      title={`Publish version ${next}`}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          {isGated && (
            <Button isBusy={isChecking} disabled={lastCount === undefined} onClick={() => void check()}>
              Only check
            </Button>
          )}
          <Button kind="primary" isBusy={isPublishing} disabled={!isSound || isChecking} onClick={() => void go()}>
            {isGated ? "Check and publish" : "Publish"}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 text-sm">
        <p className="text-muted">
          The draft becomes version {next}, which never changes again.
          {isActive && " The workflow is active: this version takes its calls and schedules from then on."}
        </p>
        <Switch label="Run past executions again under the draft first" checked={isGated} onChange={setGated} />
        {isGated && (
          <>
            <p className="text-[13px] text-muted">
              They are run in memory, with what the world answered then. Nothing is sent, nothing is written but the
              report.
            </p>
            <div className="grid gap-3 sm:grid-cols-2">
              <Field label="How many of the last" error={lastCount === undefined ? `1 to ${LAST_MAX}.` : undefined}>
                <Input inputMode="numeric" value={last} onChange={(event) => setLast(event.target.value)} />
              </Field>
              <Field
                label="How many may differ"
                error={differCount === undefined ? `0 to ${LAST_MAX}.` : undefined}
                hint="Above that it is not published."
              >
                <Input inputMode="numeric" value={maxDiffer} onChange={(event) => setMaxDiffer(event.target.value)} />
              </Field>
            </div>
          </>
        )}
        {(isChecking || (isPublishing && isGated)) && (
          <div role="status">
            <p className="mb-2 text-[13px] text-muted">Executions are run again…</p>
            <Skeleton className="h-14" />
          </div>
        )}
        {report && <ReplayReport report={report} onLeave={onClose} />}
        {refusals.length > 0 && (
          <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-[13px] text-bad">
            <p className="font-medium">Version {next} was not published</p>
            {refusals.map((refusal) => (
              <p key={refusal} className="mt-1 break-words">
                {refusal}
              </p>
            ))}
            {isGated && !report && <p className="mt-1">“Only check” shows which executions differ, and how.</p>}
          </div>
        )}
      </div>
    </Dialog>
  );
}

function ReplayReport({ report, onLeave }: { report: VersionsReplayCheckFragment; onLeave: () => void }) {
  const { summary, failure, differences, differCount, skippedCount } = report;
  return (
    <section aria-label="Report" className="rounded-lg border">
      <h3 className="flex flex-wrap items-center gap-2 px-3 py-2">
        <Badge tone={failure !== null ? "bad" : differCount === 0 ? "good" : "warn"}>
          {failure !== null ? "failed" : (summary ?? "no report yet")}
        </Badge>
        {skippedCount !== null && skippedCount > 0 && (
          <span className="text-[13px] text-muted">{skippedCount} cannot be run again</span>
        )}
        {failure !== null && <span className="text-[13px] break-words text-bad">{failure}</span>}
      </h3>
      {report.executionCount === 0 && (
        <p className="border-t px-3 py-2 text-[13px] text-muted">
          No execution of this workflow has ended yet, so there is nothing to compare with.
        </p>
      )}
      {differences.length > 0 && (
        <ul aria-label="Executions that differ" className="max-h-64 divide-y overflow-auto border-t" tabIndex={0}>
          {differences.map((one) => (
            <li key={one.executionId} className="px-3 py-2 text-[13px]">
              <Link
                to="/executions/$executionId"
                params={{ executionId: one.executionId }}
                search={one.node === null ? {} : { node: one.node }}
                onClick={onLeave}
                className="font-mono text-xs text-accent hover:underline"
              >
                …{one.executionId.slice(-12)}
              </Link>{" "}
              {one.node !== null && <span className="font-medium">at {one.node}</span>}
              <p className="break-words text-muted">{one.summary}</p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Waits for the report of a check that took longer than one question. */
async function ended(check: VersionsReplayCheckFragment): Promise<VersionsReplayCheckFragment> {
  let now = check;
  while (now.status === "REQUESTED") {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { data, error } = await client
      .query(VersionsReplayReport, { id: check.id }, { requestPolicy: "network-only" })
      .toPromise();
    if (error || !data?.replayCheck) return now;
    now = data.replayCheck;
  }
  return now;
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const number = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  return number >= min && number <= max ? number : undefined;
}
