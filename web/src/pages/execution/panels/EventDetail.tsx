import { ActorName } from "@/parts/ActorName";
import { CopyButton, ErrorState, JsonView, PositionLink, Skeleton, Time } from "@/ui";
import { useExact } from "../exact";
import { useSource } from "../source";

/** What an event says, and who brought it about. */
export function EventDetail({ position }: { position: number | undefined }) {
  const source = useSource();
  const { data: event, fault, isStale } = useExact(position === undefined ? undefined : source.event(position));
  if (fault) return <ErrorState fault={fault} />;
  if (!event) return <Skeleton className="m-4 h-20" />;
  return (
    <div className={`flex min-h-0 flex-1 flex-col ${isStale ? "opacity-60" : ""}`} aria-busy={isStale}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-0.5 border-b px-3 py-1.5 text-xs text-muted">
        <span className="font-medium text-text">{event.type}</span>
        {source.hasLog ? (
          <PositionLink position={event.position} />
        ) : (
          <span className="font-mono">#{event.position}</span>
        )}
        <Time value={event.recordedAt} exact />
        <span>
          by <ActorName actor={event.actor} onBehalfOf={event.onBehalfOf} />
        </span>
        {event.reason !== null && <span>because “{event.reason}”</span>}
        {!event.known && <span className="text-warn">unknown to this version: it was not folded in</span>}
        {event.requestId !== null && (
          <span className="flex items-center font-mono">
            request {event.requestId.slice(0, 8)} <CopyButton text={event.requestId} label="Copy the request's id" />
          </span>
        )}
      </div>
      <JsonView label="Payload" value={event.payload} depth={3} className="flex-1" />
    </div>
  );
}
