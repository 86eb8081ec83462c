import { Button, DiffView, EmptyState, ErrorState, Skeleton } from "@/ui";
import { eventText } from "../event-names";
import { useExact } from "../exact";
import type { History } from "../history/history";
import { useSource } from "../source";

export interface ChangesPanelProps {
  history: History;
  revision: number;
  /** The mark; 0 when there is none. */
  mark: number;
  onGo: (revision: number) => void;
  onMark: () => void;
}

/** What changed from the mark, or from the event before, to the event that is looked at. */
export function ChangesPanel({ history, revision, mark, onGo, onMark }: ChangesPanelProps) {
  const from = mark > 0 ? mark : revision - 1;
  const isNothing = from === revision;
  const isFirst = from < 1;
  const source = useSource();
  const isAsked = !isNothing && !isFirst && revision >= 1;
  const { data: changes, fault, isStale } = useExact(isAsked ? source.changes(from, revision) : undefined);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-1.5 text-xs text-muted">
        <span>
          {mark > 0 ? "From the mark at event " : "From the event before, "}
          <button
            type="button"
            className="text-accent tabular-nums hover:underline"
            onClick={() => onGo(Math.max(1, from))}
          >
            {Math.max(1, from).toLocaleString()}
          </button>{" "}
          to event <span className="tabular-nums">{revision.toLocaleString()}</span> (
          {eventText(history.event(revision))})
        </span>
        <Button size="small" kind="quiet" className="ml-auto" onClick={onMark}>
          {mark === revision ? "Unmark" : "Mark this event"}
        </Button>
      </div>
      <div className={`min-h-0 flex-1 overflow-auto ${isStale ? "opacity-60" : ""}`} aria-busy={isStale}>
        {isNothing ? (
          <EmptyState icon="compare" title="You are at the mark">
            Go to another event, forward or back: what is other there than here is listed.
          </EmptyState>
        ) : isFirst ? (
          <EmptyState icon="compare" title="Nothing was before">
            This is the first event. Mark it with <kbd>m</kbd> and go on to see all that changed since.
          </EmptyState>
        ) : fault ? (
          <ErrorState fault={fault} />
        ) : !changes ? (
          <Skeleton className="m-4 h-24" />
        ) : (
          <DiffView
            label="Changes of the state"
            changes={changes}
            aside={(change) =>
              change.writtenBy && (
                <WrittenBy revision={change.writtenBy.revision} type={change.writtenBy.type} onGo={onGo} />
              )
            }
            empty={
              <EmptyState icon="compare" title="The state is the same">
                What happened between changed nothing that is told of the execution.
              </EmptyState>
            }
          />
        )}
      </div>
    </div>
  );
}

export function WrittenBy({
  revision,
  type,
  onGo,
}: {
  revision: number;
  type: string;
  onGo: (revision: number) => void;
}) {
  return (
    <button type="button" className="text-accent hover:underline" onClick={() => onGo(revision)}>
      event {revision.toLocaleString()} <span className="text-muted">{type}</span>
    </button>
  );
}
