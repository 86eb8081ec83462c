import { useEffect, useRef, useState } from "react";
import { type UserError, useChange } from "@/api";
import type { ReplayReportFragment } from "@/gql/graphql";
import { Refusal } from "@/parts/Refusal";
import { WorkflowActivate, WorkflowPublish } from "@/parts/workflow-documents";
import { Button, Dialog, Field, Input, Skeleton, Switch } from "@/ui";
import { ReplayReport, heldAgainst } from "./ReplayReport";
import { replayUnderDraft } from "./replay";

const GATE_MS = 300_000;
const LAST_MAX = 1_000;

export interface PublishDialogProps {
  isOpen: boolean;
  onClose: () => void;
  /** Absent until a new workflow was saved. */
  workflowId: string | undefined;
  /** At which the draft is looked at, asked for after `save`: what somebody changed meanwhile is not published unseen. */
  revision: () => number;
  nextVersion: number;
  isActive: boolean;
  /** Saves what is not saved yet; `false` when that could not be done. */
  save?: () => Promise<boolean>;
  onPublished?: (version: number) => void;
  /** What the draft lacks to be published, as it was saved last. */
  problems?: readonly { node?: string; field: string; message: string }[];
  /** Goes to the node that a problem is about. */
  onProblem?: (node: string) => void;
}

/** Makes the draft a version; before that, if wanted, the last executions are run again under it without touching the world. */
export function PublishDialog(props: PublishDialogProps) {
  return props.isOpen && props.workflowId !== undefined ? (
    <OpenPublishDialog {...props} workflowId={props.workflowId} />
  ) : null;
}

interface Seen {
  report: ReplayReportFragment;
  /** Of the draft under which they were run again. */
  revision: number;
}

interface Refused {
  title: string;
  errors: readonly UserError[];
}

function OpenPublishDialog(props: PublishDialogProps & { workflowId: string }) {
  const { onClose, workflowId, revision, nextVersion, isActive, save, onPublished, problems = [], onProblem } = props;
  const [isGated, setGated] = useState(true);
  const [last, setLast] = useState("100");
  const [maxDiffer, setMaxDiffer] = useState("0");
  const [activates, setActivates] = useState(false);
  const [keepActive, setKeepActive] = useState(false);
  const [seen, setSeen] = useState<Seen>();
  const [refused, setRefused] = useState<Refused>();
  const [work, setWork] = useState<"looking" | "publishing">();
  const stop = useRef<AbortController>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  const [publish] = useChange(WorkflowPublish, {
    payload: (data) => data.publishWorkflow,
    failed: `Version ${nextVersion} was not published`,
    // A draft that is what the newest version is makes no new one.
    done: ({ workflow }) =>
      workflow?.publishedVersion === nextVersion
        ? `Version ${nextVersion} is published`
        : `The draft is the same as version ${nextVersion - 1}: nothing was published`,
    quiet: true,
  });
  const [activate] = useChange(WorkflowActivate, {
    payload: (data) => data.activateWorkflow,
    failed: "It was published, but is not active",
  });
  const lastCount = wholeNumber(last, 0, LAST_MAX);
  const differCount = wholeNumber(maxDiffer, 0, LAST_MAX);
  const isSound = !isGated || (lastCount !== undefined && differCount !== undefined);
  const differ = isGated && seen ? heldAgainst(seen.report) : 0;
  // Who has seen what differs decides with the button; who has not is held back by the gate.
  const isSeen = differ > (differCount ?? 0);

  const during = async (what: "looking" | "publishing", task: () => Promise<void>) => {
    setRefused(undefined);
    setWork(what);
    try {
      if (!save || (await save())) await task();
    } finally {
      setWork(undefined);
    }
  };
  const look = async () => {
    if (lastCount === undefined) return;
    setSeen(undefined);
    stop.current?.abort();
    const { signal } = (stop.current = new AbortController());
    const at = revision();
    const answer = await replayUnderDraft(workflowId, lastCount, signal);
    if (signal.aborted || !answer) return;
    if ("report" in answer) setSeen({ report: answer.report, revision: at });
    else setRefused({ title: "The executions were not run again", errors: answer.errors });
  };
  const go = async () => {
    const isHeld = isGated && !isSeen && lastCount !== undefined && differCount !== undefined;
    const replayGate = isHeld ? { last: lastCount, maxDiffer: differCount, timeoutMs: GATE_MS } : undefined;
    const expectedRevision = isSeen && seen ? seen.revision : revision();
    const outcome = await publish({ input: { workflowId, expectedRevision, replayGate, keepActive } });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") {
      setRefused({ title: `Version ${nextVersion} was not published`, errors: outcome.errors });
      return;
    }
    const version = outcome.payload.workflow?.publishedVersion ?? nextVersion;
    if (activates && !isActive) await activate({ input: { workflowId, version } });
    onPublished?.(version);
    onClose();
  };

  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      {isGated && (
        <Button
          isBusy={work === "looking"}
          disabled={lastCount === undefined || work === "publishing"}
          onClick={() => void during("looking", look)}
        >
          {seen ? "Look again" : "Look first"}
        </Button>
      )}
      <Button
        kind={isSeen ? "danger" : "primary"}
        isBusy={work === "publishing"}
        disabled={!isSound || work === "looking"}
        onClick={() => void during("publishing", go)}
      >
        {isSeen ? `Publish although ${differ} differ` : isGated ? "Check and publish" : "Publish"}
      </Button>
    </>
  );
  return (
    <Dialog title={`Publish version ${nextVersion}`} isOpen onClose={onClose} footer={footer}>
      <div className="flex flex-col gap-4 text-sm">
        <p className="text-muted">
          The draft becomes version {nextVersion}, which never changes again.
          {isActive && !keepActive
            ? " The workflow is active: this version takes its calls and schedules from then on."
            : " Calls and schedules run the active version, not the draft."}
        </p>
        {problems.length > 0 && <Lacks problems={problems} onProblem={onProblem} />}
        {!isActive && (
          <Switch label="Let this version take calls and schedules" checked={activates} onChange={setActivates} />
        )}
        {isActive && (
          <Switch
            label="Keep the active version, so that this one can be rolled out beside it"
            checked={keepActive}
            onChange={setKeepActive}
          />
        )}
        <Switch label="Run past executions again under the draft first" checked={isGated} onChange={setGated} />
        {isGated && (
          <Limits
            last={last}
            onLast={(next) => {
              setLast(next);
              setSeen(undefined);
            }}
            isLastSound={lastCount !== undefined}
            maxDiffer={maxDiffer}
            onMaxDiffer={setMaxDiffer}
            isDifferSound={differCount !== undefined}
          />
        )}
        {isGated && (work === "looking" || (work === "publishing" && !isSeen)) && (
          <div role="status">
            <p className="mb-2 text-[13px] text-muted">Executions are run again…</p>
            <Skeleton className="h-14" />
          </div>
        )}
        {isGated && seen && <ReplayReport report={seen.report} onLeave={onClose} />}
        {refused && (
          <div className="flex flex-col gap-1">
            <Refusal title={refused.title} errors={refused.errors} />
            {isGated && !seen && (
              <p className="text-[13px] text-muted">“Look first” shows which executions differ, and how.</p>
            )}
          </div>
        )}
      </div>
    </Dialog>
  );
}

interface LacksProps {
  problems: NonNullable<PublishDialogProps["problems"]>;
  onProblem: PublishDialogProps["onProblem"];
}

/** Why the draft is not published as it is, and where to mend it. */
function Lacks({ problems, onProblem }: LacksProps) {
  return (
    <section aria-label="What the draft lacks" className="rounded-md bg-warn-soft px-3 py-2 text-[13px] text-warn">
      <p className="font-medium">The draft is saved, and it cannot be published as it is:</p>
      <ul className="mt-1 flex max-h-48 flex-col gap-1 overflow-auto">
        {problems.map(({ node, field, message }) => (
          <li key={`${node ?? ""} ${field} ${message}`} className="break-words">
            {node !== undefined && (
              <button type="button" className="font-medium underline" onClick={() => onProblem?.(node)}>
                {node}
              </button>
            )}
            {node !== undefined && ": "}
            {message}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface LimitsProps {
  last: string;
  onLast: (last: string) => void;
  isLastSound: boolean;
  maxDiffer: string;
  onMaxDiffer: (maxDiffer: string) => void;
  isDifferSound: boolean;
}

function Limits({ last, onLast, isLastSound, maxDiffer, onMaxDiffer, isDifferSound }: LimitsProps) {
  return (
    <>
      <p className="text-[13px] text-muted">
        They are run in memory, with what the world answered then. Nothing is sent, nothing is written but the report.
      </p>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field
          label="How many of the last"
          error={isLastSound ? undefined : `0 to ${LAST_MAX}.`}
          hint="Test cases are run as well."
        >
          <Input inputMode="numeric" value={last} onChange={(event) => onLast(event.target.value)} />
        </Field>
        <Field
          label="How many may differ"
          error={isDifferSound ? undefined : `0 to ${LAST_MAX}.`}
          hint="Above that it is not published."
        >
          <Input inputMode="numeric" value={maxDiffer} onChange={(event) => onMaxDiffer(event.target.value)} />
        </Field>
      </div>
    </>
  );
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const number = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  return number >= min && number <= max ? number : undefined;
}
