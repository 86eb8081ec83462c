import { Button } from "@/ui";
import type { Row } from "./columns";
import type { WorkflowAction } from "./use-actions";

export interface BulkProps {
  rows: readonly Row[];
  mayWrite: boolean;
  onAct: (action: WorkflowAction, rows: readonly Row[]) => void;
  onNone: () => void;
}

/** What can be done to the chosen workflows. */
export function Bulk({ rows, mayWrite, onAct, onNone }: BulkProps) {
  const live = rows.filter((row) => mayWrite && !row.archived);
  const idle = live.filter((row) => !row.active && row.publishedVersion !== null);
  const active = live.filter((row) => row.active);
  return (
    <div
      role="toolbar"
      aria-label="What can be done to the chosen workflows"
      className="flex flex-wrap items-center gap-2 border-b bg-accent-soft px-4 py-1.5 md:px-6"
    >
      <span role="status" className="mr-1 text-[13px] font-medium text-accent">
        {rows.length} chosen
      </span>
      {live.length > 0 && (
        <Button size="small" onClick={() => onAct("move", live)}>
          Move
        </Button>
      )}
      <Button size="small" onClick={() => onAct("export", rows)}>
        Export
      </Button>
      {idle.length > 0 && (
        <Button size="small" onClick={() => onAct("activate", idle)}>
          Activate
        </Button>
      )}
      {active.length > 0 && (
        <Button size="small" onClick={() => onAct("deactivate", active)}>
          Deactivate
        </Button>
      )}
      {live.length > 0 && (
        <Button size="small" kind="danger" onClick={() => onAct("archive", live)}>
          Archive
        </Button>
      )}
      <Button size="small" kind="quiet" onClick={onNone}>
        Choose none
      </Button>
    </div>
  );
}
