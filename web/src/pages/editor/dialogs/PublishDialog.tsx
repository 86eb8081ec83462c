import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type UserError } from "@/api/errors";
import { useChange } from "@/api";
import { Badge, Button, Dialog, DiffView, Field, Select, Switch } from "@/ui";
import type { EditorReplayMutation } from "@/gql/graphql";
import { EditorActivate, EditorPublish, EditorReplay } from "../documents";

type Report = NonNullable<EditorReplayMutation["startReplayCheck"]["replayCheck"]>;

const LAST = [
  { value: "0", label: "Publish without looking back" },
  { value: "20", label: "The last 20 runs do the same" },
  { value: "100", label: "The last 100 runs do the same" },
  { value: "1000", label: "The last 1,000 runs do the same" },
];
const WAITS_MS = 60_000;

export interface PublishDialogProps {
  workflowId: string | undefined;
  isOpen: boolean;
  isActive: boolean;
  nextVersion: number;
  onClose: () => void;
  /** Saves what is not saved yet; `false` when that could not be done. */
  save: () => Promise<boolean>;
}

export function PublishDialog(props: PublishDialogProps) {
  return props.isOpen && props.workflowId !== undefined ? (
    <OpenPublishDialog {...props} workflowId={props.workflowId} />
  ) : null;
}

/** Makes a version of the draft; before that, past runs can be run again under it, without touching the world. */
function OpenPublishDialog({
  workflowId,
  isActive,
  nextVersion,
  onClose,
  save,
}: PublishDialogProps & { workflowId: string }) {
  const [last, setLast] = useState("20");
  const [activate, setActivate] = useState(isActive);
  const [report, setReport] = useState<Report>();
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [check, isChecking] = useChange(EditorReplay, {
    payload: (data) => data.startReplayCheck,
    failed: "Past runs were not run again",
    quiet: true,
  });
  const [publish, isPublishing] = useChange(EditorPublish, {
    payload: (data) => data.publishWorkflow,
    failed: "The workflow was not published",
    done: `Version ${nextVersion} is published`,
    quiet: true,
  });
  const [start] = useChange(EditorActivate, {
    payload: (data) => data.activateWorkflow,
    failed: "It was published, but is not active",
  });
  const look = async () => {
    setErrors([]);
    if (!(await save())) return;
    const outcome = await check({
      input: { workflowId, last: Number(last), against: { draft: true }, timeoutMs: WAITS_MS },
    });
    if (outcome.kind === "done") setReport(outcome.payload.replayCheck ?? undefined);
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const go = async () => {
    setErrors([]);
    if (!(await save())) return;
    // Who has seen what differs decides with the button; who has not is held back by the gate.
    const isSeen = report !== undefined;
    const replayGate = last === "0" || isSeen ? undefined : { last: Number(last), maxDiffer: 0, timeoutMs: WAITS_MS };
    const outcome = await publish({ input: { workflowId, replayGate } });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") {
      setErrors(outcome.errors);
      return;
    }
    if (activate) await start({ input: { workflowId } });
    onClose();
  };
  const differs = report?.differCount ?? 0;
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      {last !== "0" && (
        <Button isBusy={isChecking} onClick={() => void look()}>
          {report ? "Look again" : "Look first"}
        </Button>
      )}
      <Button kind={differs > 0 ? "danger" : "primary"} isBusy={isPublishing} onClick={() => void go()}>
        {differs > 0 ? `Publish although ${differs} differ` : `Publish version ${nextVersion}`}
      </Button>
    </>
  );
  return (
    <Dialog title={`Publish version ${nextVersion}`} isOpen onClose={onClose} footer={footer}>
      <div className="flex flex-col gap-4 text-sm">
        <p className="text-muted">
          A version never changes again. Calls and schedules run the active version, not the draft.
        </p>
        <Field
          label="Only if"
          hint="Past runs are run again under the draft: nodes that touch the world give what was recorded, and nothing is sent."
        >
          <Select
            value={last}
            choices={LAST}
            onChange={(next) => {
              setLast(next);
              setReport(undefined);
            }}
          />
        </Field>
        <Switch label="Let this version take calls and schedules" checked={activate} onChange={setActivate} />
        {errors.length > 0 && <Refusal errors={errors} />}
        {report && <ReplayReport report={report} />}
      </div>
    </Dialog>
  );
}

export function Refusal({ errors }: { errors: readonly UserError[] }) {
  return (
    <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
      {errors.map((error) => (
        <p key={error.message}>{error.message}</p>
      ))}
      {errors
        .flatMap((error) => error.problems ?? [])
        .slice(0, 10)
        .map((problem) => (
          <p key={`${problem.node ?? ""} ${problem.field}`} className="mt-1 text-[13px]">
            {problem.node && <strong>{problem.node}: </strong>}
            {problem.message}
          </p>
        ))}
    </div>
  );
}

function opOf({ before, after }: { before?: string | null; after?: string | null }): string {
  if (before === null || before === undefined) return "add";
  return after === null || after === undefined ? "remove" : "replace";
}

function ReplayReport({ report }: { report: Report }) {
  return (
    <section aria-label="What past runs do under the draft" className="flex flex-col gap-2 rounded-md border p-3">
      <div className="flex flex-wrap items-center gap-2">
        <Badge tone="good">{report.sameCount ?? 0} do the same</Badge>
        <Badge tone={(report.differCount ?? 0) > 0 ? "bad" : "neutral"}>{report.differCount ?? 0} differ</Badge>
        {(report.skippedCount ?? 0) > 0 && <Badge>{report.skippedCount} cannot be run again</Badge>}
        {report.failure !== null && <span className="text-bad">{report.failure}</span>}
        {report.executionCount === 0 && (
          <span className="text-muted">No run has ended yet: there is nothing to compare with.</span>
        )}
        {report.status === "REQUESTED" && (
          <span className="text-muted">It takes longer than a minute: look again later.</span>
        )}
      </div>
      <ul className="flex flex-col gap-2">
        {report.differences.map((difference) => (
          <li key={difference.executionId} className="text-[13px]">
            <details>
              <summary>
                {difference.node && <strong>{difference.node}: </strong>}
                {difference.summary}{" "}
                <Link
                  to="/executions/$executionId"
                  params={{ executionId: difference.executionId }}
                  className="text-accent underline"
                >
                  the run
                </Link>
              </summary>
              <DiffView
                label={`Changes of ${difference.executionId}`}
                changes={difference.changes.map((change) => ({ ...change, op: opOf(change) }))}
              />
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}
