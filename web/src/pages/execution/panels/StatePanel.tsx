import { useMemo, useState } from "react";
import { ErrorState, JsonView, Select, Skeleton } from "@/ui";
import { counted } from "@/ui/counted";
import { useExact } from "../exact";
import type { History } from "../history/history";
import { useSource } from "../source";

/** A state with more node runs is shown by its parts: all of it may be megabytes. */
const WHOLE_MAX = 200;

type Scope = "whole" | "own" | "run";

export interface StatePanelProps {
  id: string;
  history: History;
  revision: number;
  /** From where on changes are marked. */
  since: number;
  /** The node run that is looked at, by its place in the order of execution. */
  run: { node: string; runIndex: number; executionIndex: number } | undefined;
  /** Absent where nobody knows from where values come. */
  onValue: ((path: string) => void) | undefined;
}

/** The exact state right after the event. */
export function StatePanel({ id, history, revision, since, run, onValue }: StatePanelProps) {
  const event = history.event(revision);
  // One event brings about one node run at most, so that the events tell how large the state is.
  const isLarge = revision > WHOLE_MAX;
  const [wanted, setWanted] = useState<Scope | undefined>();
  const scope = wanted ?? (isLarge ? (run ? "run" : "own") : "whole");
  const source = useSource();
  const ownRun =
    run && run.executionIndex >= history.earlierRuns ? run.executionIndex - history.earlierRuns : undefined;
  const whole = useExact(scope === "whole" && event ? source.state(revision) : undefined);
  const own = useExact(scope === "own" && event ? source.ownState(revision) : undefined);
  const path = ownRun === undefined ? undefined : `/node_runs/${ownRun}`;
  const part = useExact(
    scope === "run" && event && path !== undefined ? source.part({ executionId: id, revision, path }) : undefined,
  );
  const shown = { whole, own, run: part }[scope];
  const value = scope === "run" ? part.data : scope === "own" ? own.data?.value : whole.data?.value;
  const prefix = scope === "run" ? (path ?? "") : "";
  const marked = useMemo(() => changedPaths(history, since, revision, prefix), [history, since, revision, prefix]);
  const unknown = (scope === "own" ? own.data : whole.data)?.unknownEventCount ?? 0;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-1.5">
        <Select<Scope>
          aria-label="What of the state"
          value={scope}
          onChange={setWanted}
          choices={[
            { value: "whole", label: isLarge ? "All of it (large)" : "All of it" },
            { value: "own", label: "The execution, without node runs" },
            { value: "run", label: run ? `Run of ${run.node}` : "The chosen node run" },
          ]}
          className="h-7 max-w-64 text-[13px]"
        />
        <span className="text-xs text-muted">
          right after event {revision.toLocaleString()}
          {onValue && "; choose a value to see from where it comes"}
        </span>
        {unknown > 0 && (
          <span className="text-xs text-warn">
            {counted(unknown, "event")} of it unknown to this version and left out
          </span>
        )}
      </div>
      {scope === "run" && path === undefined ? (
        <p className="p-4 text-sm text-muted">
          Choose a node that has run in this execution: press it in the workflow, or go with <kbd>h</kbd> and{" "}
          <kbd>l</kbd>.
        </p>
      ) : shown.fault ? (
        <ErrorState fault={shown.fault} />
      ) : value === undefined ? (
        <Skeleton className="m-4 h-32" />
      ) : (
        <div className={`flex min-h-0 flex-1 flex-col ${shown.isStale ? "opacity-60" : ""}`} aria-busy={shown.isStale}>
          <JsonView
            label="State"
            value={value}
            depth={scope === "whole" ? 2 : 3}
            marked={marked}
            onPath={onValue && ((inner) => onValue(prefix + inner))}
            className="flex-1"
          />
        </div>
      )}
    </div>
  );
}

const MARKED_MAX = 500;

/** Paths of what events after one moment up to another changed, told from the events alone. */
function changedPaths(history: History, since: number, revision: number, prefix: string): ReadonlySet<string> {
  const paths = new Set<string>();
  const [from, to] = since <= revision ? [since, revision] : [revision, since];
  for (let at = Math.max(from + 1, to - MARKED_MAX); at <= to; at += 1) {
    const event = history.event(at);
    if (!event) continue;
    if (event.run >= history.earlierRuns) {
      const path = `/node_runs/${event.run - history.earlierRuns}`;
      if (prefix === path) for (const field of ["status", "outputs", "error"]) paths.add(`/${field}`);
      else if (prefix === "") paths.add(path);
    } else if (prefix === "") paths.add("/status");
  }
  return paths;
}
