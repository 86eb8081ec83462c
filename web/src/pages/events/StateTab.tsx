import { useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import type { EventsWholeFragment } from "@/gql/graphql";
import { Button, DiffView, ErrorState, JsonView, Skeleton } from "@/ui";
import { EventsState, before } from "./documents";

const VIEWS = [
  ["changes", "What it changed"],
  ["before", "Before"],
  ["after", "After"],
] as const;

/** The exact state of what an event happened to, right before and right after it. */
export function StateTab({ event }: { event: EventsWholeFragment }) {
  const [view, setView] = useState<"changes" | "before" | "after">("changes");
  const [{ data, error, fetching }, again] = useQuery({
    query: EventsState,
    variables: {
      stream: { category: event.category, id: event.streamId },
      before: before(event.position),
      position: event.position,
    },
    requestPolicy: "cache-first",
  });
  if (error) return <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (fetching || !data)
    return (
      <div className="flex flex-col gap-2 p-4">
        <Skeleton className="h-4 w-1/3" />
        <Skeleton className="h-24" />
      </div>
    );
  const state = view === "before" ? data.before?.state : data.after?.state;
  const status = view === "before" ? data.before?.status : data.after?.status;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div role="group" aria-label="Which state" className="flex items-center gap-1 border-b px-2 py-1">
        {VIEWS.map(([value, label]) => (
          <Button
            key={value}
            size="small"
            kind={view === value ? "plain" : "quiet"}
            aria-pressed={view === value}
            onClick={() => setView(value)}
          >
            {label}
          </Button>
        ))}
        {view !== "changes" && status && <span className="ml-auto pr-2 text-xs text-muted">{status}</span>}
      </div>
      {data.after?.kind === null && (
        <p className="border-b bg-sunken px-4 py-2 text-xs text-muted">
          This build folds no state for {event.category}: what follows are its newest events as they were written.
        </p>
      )}
      {view === "changes" ? (
        <div className="min-h-0 flex-1 overflow-auto">
          <DiffView
            label="What the event changed"
            changes={data.stateDiff.changes}
            empty={<p className="p-4 text-sm text-muted">It changed nothing of the state.</p>}
          />
        </div>
      ) : state === undefined ? (
        <p className="p-4 text-sm text-muted">It was not there yet: this is the first event of its stream.</p>
      ) : (
        <JsonView className="min-h-0 flex-1" label={`the state ${view}`} value={state} />
      )}
    </div>
  );
}
