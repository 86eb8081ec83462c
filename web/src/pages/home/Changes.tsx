import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useViewer } from "@/api";
import { ActorName } from "@/parts/ActorName";
import { PositionLink, Skeleton, Time } from "@/ui";
import { deedOf, deedsOf, filterOf } from "./changes";
import { HomeChanges, HomeWorkflow } from "./documents";
import { MORE, Section } from "./Section";

/** Who changed what lately: workflows, agents, models, the gateway. */
export function Changes({ waitFor }: { waitFor: string | undefined }) {
  const { can } = useViewer();
  const filter = filterOf(can);
  const [{ data, error }, again] = useQuery({
    query: HomeChanges,
    variables: { filter: filter ?? {}, waitFor },
    pause: filter === undefined,
  });
  const deeds = deedsOf(data?.events.nodes ?? []);
  return (
    <Section
      title="Changed lately"
      isLoading={filter !== undefined && !data && !error}
      fault={error && !data ? faultOf(error) : undefined}
      onRetry={() => again({ requestPolicy: "network-only" })}
      calm={(data ?? filter === undefined) && deeds.length === 0 ? "Nothing yet" : undefined}
      more={
        <Link to="/events" className={MORE}>
          All events
        </Link>
      }
    >
      <ul className="divide-y">
        {deeds.map(({ event, times }) => (
          <li key={event.id} className="px-4 py-2 text-[13px]">
            <div className="flex items-baseline gap-2">
              <span className="line-clamp-2 min-w-0 flex-1 break-words">
                <ActorName actor={event.actor} onBehalfOf={event.onBehalfOf} />{" "}
                <span className="text-muted">{deedOf(event)}</span> <NameOf event={event} />
                {times > 1 && <span className="text-muted"> {times} times</span>}
              </span>
              <span className="text-xs text-muted">
                <Time value={event.recordedAt} />
              </span>
              <PositionLink position={event.position} />
            </div>
            {event.reason !== null && event.reason !== "" && (
              <p className="truncate text-xs text-muted" title={event.reason}>
                {event.reason}
              </p>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function NameOf({ event: { category, streamId } }: { event: { category: string; streamId: string } }) {
  const style = "font-medium hover:underline";
  if (category === "workflow") return <WorkflowName id={streamId} />;
  if (category === "agent")
    return (
      <Link to="/agents/$agentName" params={{ agentName: streamId }} className={style}>
        {streamId}
      </Link>
    );
  if (category === "model")
    return (
      <Link to="/models/$modelName" params={{ modelName: streamId }} className={style}>
        {streamId}
      </Link>
    );
  return (
    <Link to="/gateway" className={style}>
      gateway
    </Link>
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
