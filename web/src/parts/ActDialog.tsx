import { useRef, useState } from "react";
import { toast } from "@/api";
import type { RetryFrom, RetryVersion } from "@/gql/schema";
import { Button, Dialog, Field, Progress, Select, Textarea } from "@/ui";
import {
  type Cause,
  type ExecutionAction,
  type ExecutionRow,
  PLAINLY,
  act,
  canAct,
  failuresOf,
} from "./execution-changes";
import { type Tally, runAll } from "./run-all";

/** What is done, to which executions. */
export interface Act {
  action: ExecutionAction;
  /** The executions, or a cause of failures with how many there are about. */
  of: readonly ExecutionRow[] | (Cause & { count: number; message: string });
}

interface Words {
  title: string;
  button: string;
  done: string;
  what: string;
}

const WORDS: Record<ExecutionAction, Words> = {
  retry: {
    title: "Retry",
    button: "Retry",
    done: "retried",
    what: "Each is tried again as a new execution. What failed stays in the log and tells what came of it.",
  },
  cancel: {
    title: "Cancel",
    button: "Cancel the execution",
    done: "cancelled",
    what: "Nothing of it begins after this. An effect that is under way comes to its end.",
  },
  dismiss: {
    title: "Dismiss",
    button: "Dismiss",
    done: "dismissed",
    what: "The failure stays in the log, but it is not counted among those that need attention any more.",
  },
  resume: {
    title: "End the wait",
    button: "End the wait",
    done: "going on",
    what: "The node that waits gives what it was given, and the execution goes on, as when the awaited answer had come.",
  },
  unpause: {
    title: "Let it go on",
    button: "Let it go on",
    done: "going on",
    what: "The execution goes on to its end, or to its next breakpoint.",
  },
};

export interface ActDialogProps {
  act: Act | undefined;
  onClose: () => void;
  /** Called when it is over, with the executions to which it was done or tried. */
  onDone?: (rows: readonly ExecutionRow[]) => void;
}

/** Does something to one execution or to many, after asking, and tells what became of it. */
export function ActDialog({ act: asked, onClose, onDone }: ActDialogProps) {
  return asked ? <OpenActDialog asked={asked} onClose={onClose} onDone={onDone} /> : null;
}

function OpenActDialog({
  asked,
  onClose,
  onDone,
}: {
  asked: Act;
  onClose: () => void;
  onDone: ActDialogProps["onDone"];
}) {
  const { action, of } = asked;
  const words = WORDS[action];
  const [how, setHow] = useState(PLAINLY);
  const [tally, setTally] = useState<Tally<ExecutionRow> | undefined>();
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const isStopped = useRef(false);
  const fitting = "fingerprint" in of ? undefined : of.filter((row) => canAct(action, row));
  const count = fitting?.length ?? ("fingerprint" in of ? of.count : 0);
  const isOver = tally !== undefined && !isRunning;

  const go = async () => {
    setRunning(true);
    setProblem(undefined);
    isStopped.current = false;
    try {
      const rows = fitting ?? ("fingerprint" in of ? await failuresOf(of) : []);
      setTally({ done: 0, failed: [], left: rows.length });
      const end = await runAll(
        rows,
        (row) => act(action, row.id, { ...how, reason: how.reason.trim() }),
        setTally,
        () => isStopped.current,
      );
      onDone?.(rows);
      if (end.failed.length === 0 && end.left === 0) {
        toast({ tone: "good", title: `${executions(end.done)} ${words.done}` });
        onClose();
      }
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setRunning(false);
    }
  };
  const close = () => {
    isStopped.current = true;
    onClose();
  };

  const footer = isOver ? (
    <Button onClick={close}>Close</Button>
  ) : (
    <>
      <Button onClick={close}>{isRunning ? "Stop" : "Not now"}</Button>
      <Button
        kind={action === "cancel" ? "danger" : "primary"}
        isBusy={isRunning}
        disabled={count === 0}
        onClick={() => void go()}
      >
        {count === 1 ? words.button : `${words.title} ${count}`}
      </Button>
    </>
  );
  return (
    <Dialog title={titleOf(asked, count)} isOpen onClose={close} size="small" footer={footer}>
      <div className="flex flex-col gap-3 text-sm">
        {tally === undefined ? (
          <>
            {"fingerprint" in of && (
              <p className="line-clamp-3 rounded-md bg-bad-soft px-2.5 py-1.5 font-mono text-xs break-words text-bad">
                {of.message}
              </p>
            )}
            <p className="text-muted">{words.what}</p>
            {fitting !== undefined && fitting.length < (of as readonly ExecutionRow[]).length && (
              <p className="text-warn">
                {(of as readonly ExecutionRow[]).length - fitting.length} of the chosen ones are left out: it cannot be
                done to them as they are.
              </p>
            )}
            {action === "retry" && <RetryFields how={how} onChange={(next) => setHow({ ...how, ...next })} />}
            {(action === "cancel" || action === "dismiss") && (
              <Field label="Why (if you want to say)" hint="It is kept with the event.">
                <Textarea
                  rows={2}
                  maxLength={1000}
                  value={how.reason}
                  onChange={(event) => setHow({ ...how, reason: event.target.value })}
                />
              </Field>
            )}
          </>
        ) : (
          <Report tally={tally} words={words} />
        )}
        {problem !== undefined && (
          <p role="alert" className="text-bad">
            {problem}
          </p>
        )}
      </div>
    </Dialog>
  );
}

function RetryFields({
  how,
  onChange,
}: {
  how: { from: RetryFrom; version: RetryVersion };
  onChange: (how: { from?: RetryFrom; version?: RetryVersion }) => void;
}) {
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      <Field label="From">
        <Select
          value={how.from}
          choices={[
            { value: "FAILED_NODE", label: "the node that failed" },
            { value: "START", label: "the start" },
          ]}
          onChange={(from) => onChange({ from })}
        />
      </Field>
      <Field label="On" hint={how.version === "NEWEST" ? "What would run now." : "What ran then."}>
        <Select
          value={how.version}
          choices={[
            { value: "SAME", label: "the same version" },
            { value: "NEWEST", label: "the newest version" },
          ]}
          onChange={(version) => onChange({ version })}
        />
      </Field>
    </div>
  );
}

function Report({ tally, words }: { tally: Tally<ExecutionRow>; words: Words }) {
  const all = tally.done + tally.failed.length + tally.left;
  return (
    <>
      <div role="status">
        {tally.done} of {all} {words.done}
        {tally.failed.length > 0 && <span className="text-bad"> · {tally.failed.length} not</span>}
      </div>
      <Progress label={words.title} value={all - tally.left} max={all} />
      {tally.failed.length > 0 && (
        <ul aria-label="What was refused" className="max-h-56 divide-y overflow-auto rounded-md border" tabIndex={0}>
          {tally.failed.slice(0, 100).map(({ item, why }) => (
            <li key={item.id} className="px-2.5 py-1.5 text-[13px]">
              <span className="font-medium">{item.workflow?.name ?? item.workflowId}</span>{" "}
              <span className="font-mono text-xs text-muted">{item.id.slice(-8)}</span>
              <div className="break-words text-bad">{why}</div>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function titleOf({ action, of }: Act, count: number): string {
  const { title } = WORDS[action];
  if ("fingerprint" in of) return `${title} ${count === 1 ? "a failure" : `${count} failures`} of one cause`;
  const [only] = of;
  if (of.length === 1 && only !== undefined) return `${title}: ${only.workflow?.name ?? "execution"}`;
  return `${title} ${count} executions`;
}

function executions(count: number): string {
  return count === 1 ? "1 execution" : `${count} executions`;
}
