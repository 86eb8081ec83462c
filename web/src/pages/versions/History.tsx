import { useEffect } from "react";
import { useQuery } from "urql";
import { useLastWrite, usePager } from "@/api";
import type { VersionsHistoryQuery } from "@/gql/graphql";
import { ActorName } from "@/parts/ActorName";
import { Badge, Button, ErrorState, PositionLink, Skeleton, Time, classes } from "@/ui";
import { VersionsDraft, VersionsHistory } from "./documents";
import type { Side } from "./search";

type Event = VersionsHistoryQuery["events"]["nodes"][number];

export interface HistoryProps {
  workflowId: string;
  activeVersion: number | null;
  right: Side;
  onChoose: (side: Side) => void;
  /** Changes when something happened to the workflow. */
  stamp: string | undefined;
}

/** The draft and what became of it: which versions came out, and which of them was active from when on. */
export function History({ workflowId, activeVersion, right, onChoose, stamp }: HistoryProps) {
  const waitFor = useLastWrite();
  const [{ data: draft }] = useQuery({
    query: VersionsDraft,
    variables: { id: workflowId, waitFor: stamp ?? waitFor },
  });
  const rows = usePager(
    VersionsHistory,
    { id: workflowId, waitFor: stamp ?? waitFor },
    { connection: (data) => data.events, keyOf: (row) => row.position, pageSize: 50 },
  );
  const { ensure, count } = rows;
  useEffect(() => ensure(0, 0));
  const events = Array.from({ length: count }, (_, place) => rows.rowAt(place)).filter((row) => row !== undefined);
  const last = draft?.events.nodes[0];
  return (
    <ol aria-label="Draft and versions" className="flex flex-col p-2">
      <li>
        <Choice isChosen={right === "draft"} onChoose={() => onChoose("draft")}>
          <span className="font-medium">Draft</span>
          {last && (
            <span className="block text-xs text-muted">
              changed <Time value={last.recordedAt} /> by <ActorName actor={last.actor} />
            </span>
          )}
        </Choice>
      </li>
      {rows.fault && <ErrorState fault={rows.fault} onRetry={rows.reload} />}
      {rows.isLoading && count === 0 && (
        <li className="flex flex-col gap-3 p-2">
          <Skeleton className="h-8" />
          <Skeleton className="h-8" />
        </li>
      )}
      {events.map((event) => (
        <li key={event.position}>
          <OneEvent event={event} activeVersion={activeVersion} right={right} onChoose={onChoose} />
        </li>
      ))}
      {rows.isEmpty && (
        <li className="px-2.5 py-2 text-[13px] text-muted">
          Nothing was published yet. A version is what calls and schedules run; it never changes.
        </li>
      )}
      {rows.hasMore && count > 0 && (
        <li className="p-2">
          <Button size="small" onClick={() => ensure(count, count)}>
            Show older
          </Button>
        </li>
      )}
    </ol>
  );
}

const WHAT: Record<string, (version: number | undefined) => string> = {
  WorkflowActivated: (version) => `Version ${version ?? "?"} was activated`,
  WorkflowDeactivated: () => "Deactivated",
  WorkflowRolloutStarted: (version) => `The roll-out of version ${version ?? "?"} began`,
  WorkflowRolloutChanged: () => "The share of the roll-out was changed",
  WorkflowRolloutPromoted: (version) => `Version ${version ?? "?"} was promoted`,
  WorkflowRolloutRolledBack: (version) => `Version ${version ?? "?"} was rolled back`,
  WorkflowArchived: () => "Archived",
};

interface OneEventProps {
  event: Event;
  activeVersion: number | null;
  right: Side;
  onChoose: (side: Side) => void;
}

function OneEvent({ event, activeVersion, right, onChoose }: OneEventProps) {
  const version = versionOf(event.payload);
  const by = (
    <span className="block text-xs text-muted">
      <Time value={event.recordedAt} /> by <ActorName actor={event.actor} onBehalfOf={event.onBehalfOf} />
      {event.reason !== null && event.reason !== "" && <>: {event.reason}</>}
    </span>
  );
  if (event.type === "WorkflowVersionPublished" && version !== undefined)
    return (
      <Choice isChosen={right === version} onChoose={() => onChoose(version)}>
        <span className="flex items-center gap-2">
          <span className="font-medium">Version {version}</span>
          {version === activeVersion && <Badge tone="good">active</Badge>}
        </span>
        {by}
      </Choice>
    );
  return (
    <div className="flex items-start gap-2 px-2.5 py-1.5 text-[13px] text-muted">
      <span className="min-w-0 flex-1">
        {WHAT[event.type]?.(version) ?? event.type}
        {by}
      </span>
      <PositionLink position={event.position} />
    </div>
  );
}

interface ChoiceProps {
  isChosen: boolean;
  onChoose: () => void;
  children: React.ReactNode;
}

function Choice({ isChosen, onChoose, children }: ChoiceProps) {
  return (
    <button
      type="button"
      aria-pressed={isChosen}
      onClick={onChoose}
      className={classes(
        "w-full rounded-md px-2.5 py-1.5 text-left text-[13px]",
        isChosen ? "bg-accent-soft" : "hover:bg-hover",
      )}
    >
      {children}
    </button>
  );
}

function versionOf(payload: unknown): number | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const { version } = payload as { version?: unknown };
  return typeof version === "number" ? version : undefined;
}
