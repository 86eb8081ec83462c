import { Link } from "@tanstack/react-router";
import { useChange, useViewer } from "@/api";
import { Button, Elapsed, Icon, Select, StatusBadge, wordsOf } from "@/ui";
import type { EditorRunsQuery } from "@/gql/graphql";
import { Cancel } from "@/parts/execution-documents";
import { useEditor } from "../state/editor";
import type { RunShown } from "./useRun";

export interface RunBarProps {
  run: RunShown | undefined;
  isUnderWay: boolean;
  runs: EditorRunsQuery["executions"]["nodes"];
  onChoose: (id: string) => void;
}

/** Which execution is shown beside the draft, how it went, and where to look at all of it. */
export function RunBar({ run, isUnderWay, runs, onChoose }: RunBarProps) {
  const { openNode } = useEditor();
  const { can } = useViewer();
  const [cancel, isCancelling] = useChange(Cancel, {
    payload: (data) => data.cancelExecution,
    failed: "The execution was not cancelled",
  });
  if (!run)
    return (
      <div className="flex h-10 shrink-0 items-center border-t bg-surface px-4 text-xs text-muted">
        No run yet.{can("EXECUTION_RUN") && " Run the workflow to see what its nodes give."}
      </div>
    );
  const isListed = runs.some((one) => one.id === run.id);
  const choices = runs.map((one) => ({
    value: one.id,
    label: `${shortTime(one.startedAt)} · ${wordsOf(one.status)}`,
  }));
  const all = isListed
    ? choices
    : [{ value: run.id, label: `${shortTime(run.startedAt)} · ${wordsOf(run.status)}` }, ...choices];
  return (
    <section
      aria-label="Run"
      className="flex min-h-10 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-t bg-surface px-3 py-1 text-[13px]"
    >
      <StatusBadge status={run.status} />
      <span className="text-xs text-muted">
        <Elapsed from={run.startedAt} to={run.endedAt} />
      </span>
      <Select
        aria-label="Shown run"
        className="!h-7 !w-72 max-w-full !text-xs"
        value={run.id}
        choices={all}
        onChange={onChoose}
      />
      {run.errorMessage !== undefined && (
        <span className="flex min-w-0 items-center gap-2">
          <span title={run.errorMessage} className="max-w-md truncate text-bad">
            {run.errorMessage}
          </span>
          {run.errorNode !== undefined && (
            <Button size="small" kind="quiet" onClick={() => openNode(run.errorNode, "output")}>
              Show {run.errorNode}
            </Button>
          )}
        </span>
      )}
      <span className="flex-1" />
      {isUnderWay && can("EXECUTION_RUN") && (
        <Button
          size="small"
          kind="danger"
          isBusy={isCancelling}
          onClick={() => void cancel({ input: { executionId: run.id, reason: "stopped in the editor" } })}
        >
          <Icon name="stop" />
          Cancel
        </Button>
      )}
      <Link
        to="/executions/$executionId"
        params={{ executionId: run.id }}
        className="inline-flex h-7 items-center gap-1 rounded-md px-2 text-[13px] font-medium text-accent hover:bg-hover"
      >
        Debug <Icon name="right" />
      </Link>
    </section>
  );
}

function shortTime(value: string | null | undefined): string {
  if (value === null || value === undefined) return "not begun";
  return new Date(value).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}
