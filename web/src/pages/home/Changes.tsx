import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { ActorName } from "@/parts/ActorName";
import { PositionLink, Skeleton, Time } from "@/ui";
import { deedOf, deedsOf } from "./changes";
import { HomeChanges, HomeWorkflow } from "./documents";
import { MORE, Section } from "./Section";

/** Who changed which workflow lately. */
export function Changes({ waitFor }: { waitFor: string | undefined }) {
  const [{ data, error }, again] = useQuery({ query: HomeChanges, variables: { waitFor } });
  const deeds = deedsOf(data?.events.nodes ?? []);
  return (
    <Section
      title="Changed lately"
      isLoading={!data && !error}
      fault={error && !data ? faultOf(error) : undefined}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={data && deeds.length === 0 ? "Nothing yet" : undefined}
      more={
        <Link to="/events" search={{ category: "workflow" }} className={MORE}>
          All events
        </Link>
      }
    >
      <ul className="divide-y">
        {deeds.map(({ event, times }) => (
          <li key={event.id} className="px-4 py-2 text-[13px]">
            <div className="flex items-baseline gap-2">
              <span className="min-w-0 flex-1 truncate">
                <ActorName actor={event.actor} onBehalfOf={event.onBehalfOf} />{" "}
                <span className="text-muted">{deedOf(event.type)}</span> <WorkflowName id={event.streamId} />
                {times > 1 && <span className="text-muted"> {times} times</span>}
              </span>
              <span className="text-xs text-muted">
                <Time value={event.recordedAt} />
              </span>
              <PositionLink position={event.position} />
            </div>
            {event.reason !== null && event.reason !== "" && (
              <p className="truncate text-xs text-muted">{event.reason}</p>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function WorkflowName({ id }: { id: string }) {
  const [{ data, fetching }] = useQuery({ query: HomeWorkflow, variables: { id }, requestPolicy: "cache-first" });
  if (fetching && !data) return <Skeleton className="inline-block h-3 w-32 align-middle" />;
  return (
    <Link to="/workflows/$workflowId" params={{ workflowId: id }} className="font-medium hover:underline">
      {data?.workflow?.name ?? `…${id.slice(-8)}`}
    </Link>
  );
}
