import { CopyButton, ErrorState, JsonView, PositionLink, Skeleton, Time } from "@/ui";
import { ExecutionEvent } from "../documents";
import { useExact } from "../exact";

/** What an event says, and who brought it about. */
export function EventDetail({ id, position }: { id: string; position: number | undefined }) {
  const variables =
    position === undefined ? undefined : { stream: { category: "execution", id }, from: String(position - 1) };
  const { data, fault, isStale } = useExact(ExecutionEvent, variables);
  if (fault) return <ErrorState fault={fault} />;
  const event = data?.events.nodes[0];
  if (!event) return <Skeleton className="m-4 h-20" />;
  return (
    <div className={`flex min-h-0 flex-1 flex-col ${isStale ? "opacity-60" : ""}`} aria-busy={isStale}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-0.5 border-b px-3 py-1.5 text-xs text-muted">
        <span className="font-medium text-text">{event.type}</span>
        <PositionLink position={event.position} />
        <Time value={event.recordedAt} exact />
        <span>
          by {event.actor.name}
          {event.onBehalfOf && ` for ${event.onBehalfOf.name}`}
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
