import type { CombinedError } from "@urql/core";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useQuery } from "urql";
import { useLastWrite, useLive, useViewer } from "@/api";
import { actorInSentence } from "@/parts/ActorName";
import { sentenceText } from "@/parts/sentence";
import { Time } from "@/ui";
import { AdminRetentionEvents, AdminRetentionHistory, type RetentionEvent } from "./documents";

/** Most decisions that are listed; older ones are among the events. */
const LISTED_MAX = 20;

export interface History {
  /** The newest first; undefined while they are not known. */
  events: readonly RetentionEvent[] | undefined;
  hasMore: boolean;
  error: CombinedError | undefined;
  again: () => void;
}

/** What was decided about a kind of data, for those who may read the audit trail. It follows what happens. */
export function useHistory(category: string): History {
  const { can } = useViewer();
  const mayRead = can("AUDIT_READ");
  const [{ data, error }, ask] = useQuery({
    query: AdminRetentionHistory,
    variables: { category, first: LISTED_MAX },
    requestPolicy: "cache-and-network",
    pause: !mayRead,
  });
  const again = () => ask({ requestPolicy: "network-only" });
  const written = useLastWrite();
  useEffect(() => {
    if (written !== undefined && mayRead) ask({ requestPolicy: "network-only" });
  }, [written, mayRead, ask]);
  useLive(AdminRetentionEvents, {}, again, {
    position: ({ events }) => events.position,
    fromNow: true,
    enabled: mayRead,
  });
  return { events: data?.events.nodes, hasMore: data?.events.pageInfo.hasNextPage ?? false, error, again };
}

/** Each decision as a sentence, with its place in the log. */
export function Decisions({ events }: { events: readonly RetentionEvent[] }) {
  return (
    <ol className="flex flex-col divide-y">
      {events.map((event) => (
        <li key={event.position} className="flex items-baseline gap-3 py-1.5 first:pt-0">
          <span className="min-w-0 flex-1 break-words">
            {actorInSentence(event.actor)} {sentenceText(event, () => undefined)}
          </span>
          <Link to="/events" search={{ position: event.position }} className="shrink-0 text-muted hover:underline">
            <Time value={event.recordedAt} />
          </Link>
        </li>
      ))}
    </ol>
  );
}
