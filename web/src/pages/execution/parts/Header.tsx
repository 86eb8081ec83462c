import { Link, useNavigate } from "@tanstack/react-router";
import { memo, useState } from "react";
import { useViewer } from "@/api";
import {
  Badge,
  Button,
  ConfirmDialog,
  CopyButton,
  Elapsed,
  Icon,
  IconButton,
  Menu,
  StatusBadge,
  Time,
  wordsOf,
} from "@/ui";
import type { RetryFrom, RetryVersion } from "@/gql/schema";
import type { ExecutionChanges } from "../changes";
import { makeCapsule } from "../capsule/make";
import type { ExecutionFacts } from "../history/model";
import { ResumeDialog } from "./ResumeDialog";

export interface HeaderProps {
  facts: ExecutionFacts;
  isLive: boolean;
  changes: ExecutionChanges;
  onFork: () => void;
  onCompare: () => void;
  /** Keeps it as a test case of its workflow; absent where that cannot be done. */
  onKeep: (() => void) | undefined;
  onChanged: (position?: string) => void;
}

export const Header = memo(function Header(props: HeaderProps) {
  const { facts, isLive, changes, onFork, onCompare, onKeep, onChanged } = props;
  const { can } = useViewer();
  const [asked, setAsked] = useState<"cancel" | "dismiss" | "pause" | undefined>();
  const [isResuming, setResuming] = useState(false);
  const navigate = useNavigate();
  const mayRun = can("EXECUTION_RUN");
  const isOpen = facts.endedAt === null && facts.status !== "CONTINUED";
  const isPaused = facts.status === "PAUSED";
  const mayRetry = facts.status === "FAILED" || facts.status === "CANCELLED";
  const id = facts.id;
  const retry = async (from: RetryFrom, version: RetryVersion) => {
    const outcome = await changes.retry({ input: { executionId: id, from, version } });
    if (outcome.kind !== "done") return;
    onChanged(outcome.payload.position ?? undefined);
    const next = outcome.payload.executionId;
    if (next) void navigate({ to: "/executions/$executionId", params: { executionId: next } });
  };
  const after = (outcome: { kind: string; payload?: { position?: string | null } }) => {
    if (outcome.kind === "done") onChanged(outcome.payload?.position ?? undefined);
    return outcome.kind === "done";
  };
  const version =
    facts.workflowVersion === null ? `draft, revision ${facts.workflowRevision}` : `version ${facts.workflowVersion}`;
  return (
    <header className="border-b bg-surface px-3 py-2 md:px-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          <h1 className="flex min-w-0 items-center gap-2 text-[15px] font-semibold tracking-tight">
            <Link
              to="/workflows/$workflowId"
              params={{ workflowId: facts.workflowId }}
              className="min-w-0 truncate hover:underline"
              title={facts.workflow?.name}
            >
              {facts.workflow?.name ?? "A workflow that is gone"}
            </Link>
            <StatusBadge status={facts.status} />
            {facts.trigger === "FORK" && <Badge tone="accent">fork</Badge>}
            {facts.trigger === "RETRY" && <Badge tone="accent">retry</Badge>}
            {isLive && <span className="text-xs font-normal text-good">live</span>}
          </h1>
          <p className="flex flex-wrap items-center gap-x-2 text-xs text-muted">
            <span className="flex items-center font-mono">
              {id.slice(0, 8)}…{id.slice(-4)} <CopyButton text={id} label="Copy the execution's id" />
            </span>
            <span>{version}</span>
            <span>· {facts.mode === "MANUAL" ? "by hand" : wordsOf(facts.trigger ?? "production")}</span>
            <span className="hidden sm:inline">
              · <Time value={facts.startedAt} />
            </span>
            <span>
              · <Elapsed from={facts.startedAt} to={facts.endedAt} />
            </span>
          </p>
        </div>
        <div className="flex flex-wrap items-center gap-1.5">
          {isOpen && mayRun && facts.status === "WAITING" && (
            <Button size="small" kind="primary" onClick={() => setResuming(true)}>
              <Icon name="play" /> End the wait
            </Button>
          )}
          {isPaused && mayRun && (
            <>
              <Button
                size="small"
                kind="primary"
                isBusy={changes.isUnpausing}
                onClick={() => void changes.unpause({ input: { executionId: id } }).then(after)}
              >
                <Icon name="play" /> Go on
              </Button>
              <Button
                size="small"
                isBusy={changes.isUnpausing}
                onClick={() => void changes.unpause({ input: { executionId: id, step: true } }).then(after)}
              >
                Step
              </Button>
            </>
          )}
          {isOpen && mayRun && !isPaused && (
            <Button size="small" isBusy={changes.isPausing} onClick={() => setAsked("pause")}>
              <Icon name="pause" /> Pause
            </Button>
          )}
          {mayRetry && mayRun && (
            <Menu
              trigger={
                <Button size="small" isBusy={changes.isRetrying}>
                  <Icon name="retry" /> Retry <Icon name="down" className="size-3" />
                </Button>
              }
              items={[
                { label: "From the node that failed", run: () => void retry("FAILED_NODE", "SAME") },
                { label: "From the node that failed, newest version", run: () => void retry("FAILED_NODE", "NEWEST") },
                { label: "From the start", run: () => void retry("START", "SAME") },
                { label: "From the start, newest version", run: () => void retry("START", "NEWEST") },
              ]}
            />
          )}
          {mayRun && (
            <Button size="small" onClick={onFork}>
              <Icon name="fork" /> Fork
            </Button>
          )}
          <Button size="small" onClick={onCompare}>
            <Icon name="compare" /> Compare
          </Button>
          <Menu
            trigger={<IconButton size="small" label="More" icon={<Icon name="more" />} />}
            items={[
              {
                label: "All executions of this workflow",
                run: () => void navigate({ to: "/executions", search: { workflow: facts.workflowId } }),
              },
              {
                label: "Make a capsule",
                run: () => void makeCapsule(id),
                disabled: isOpen || !can("WORKFLOW_READ"),
              },
              {
                label: "Keep as a test case…",
                run: () => onKeep?.(),
                disabled: onKeep === undefined,
              },
              {
                label: "Its events in the log",
                run: () => void navigate({ to: "/events", search: { position: facts.createdPosition } }),
              },
              "line",
              {
                label: "Dismiss the failure",
                run: () => setAsked("dismiss"),
                disabled: !mayRun || !facts.unresolved,
              },
              {
                label: "Cancel the execution",
                run: () => setAsked("cancel"),
                disabled: !mayRun || !isOpen,
                isDangerous: true,
              },
            ]}
          />
        </div>
      </div>
      <ConfirmDialog
        title="Cancel the execution?"
        isOpen={asked === "cancel"}
        onClose={() => setAsked(undefined)}
        confirm="Cancel the execution"
        isDangerous
        reason="optional"
        onConfirm={(reason) => changes.cancel({ input: { executionId: id, reason } }).then(after)}
      >
        It stops where it is. What its nodes have done already stays done.
      </ConfirmDialog>
      <ConfirmDialog
        title="Dismiss the failure?"
        isOpen={asked === "dismiss"}
        onClose={() => setAsked(undefined)}
        confirm="Dismiss the failure"
        reason="required"
        onConfirm={(reason) => changes.dismiss({ input: { executionId: id, reason } }).then(after)}
      >
        It is no dead letter any more, and leaves the list of what needs attention.
      </ConfirmDialog>
      <ConfirmDialog
        title="Pause the execution?"
        isOpen={asked === "pause"}
        onClose={() => setAsked(undefined)}
        confirm="Pause"
        reason="optional"
        onConfirm={(reason) => changes.pause({ input: { executionId: id, reason } }).then(after)}
      >
        It stands still before its next node, until somebody lets it go on.
      </ConfirmDialog>
      <ResumeDialog
        facts={facts}
        isOpen={isResuming}
        onClose={() => setResuming(false)}
        isBusy={changes.isResuming}
        onResume={(items) => changes.resume({ input: { executionId: id, items } }).then(after)}
      />
    </header>
  );
});
