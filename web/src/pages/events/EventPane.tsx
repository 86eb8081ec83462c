import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useQuery } from "urql";
import { client, faultOf, sayFault, toast, useViewer } from "@/api";
import { seenCategories } from "@/app/event-kinds";
import { useKeys } from "@/app/keys";
import type { EventsWholeFragment } from "@/gql/graphql";
import { actorName } from "@/parts/ActorName";
import { Button, ErrorState, Facts, Icon, IconButton, JsonView, Menu, Skeleton, Tabs, Time } from "@/ui";
import { EventsOfStream, EventsOne, before } from "./documents";
import { cliLine, curlLine } from "./places";
import type { EventTab, EventsSearch } from "./search";
import { StateTab } from "./StateTab";
import { StoryTab } from "./StoryTab";

export interface EventPaneProps {
  position: string;
  /** Its category, where it is known: then nobody has to look through the audit trail for it. */
  category: string | undefined;
  tab: EventTab;
  onSearch: (change: Partial<EventsSearch>) => void;
  onClose: () => void;
}

/** Everything about one event. */
export function EventPane({ position, category, tab, onSearch, onClose }: EventPaneProps) {
  const { can } = useViewer();
  // Asked once: the list may come to know it later.
  const [known] = useState({ position, category });
  const categories =
    known.position === position && known.category !== undefined ? [known.category] : seenCategories(can);
  const [{ data, error, fetching }, again] = useQuery({
    query: EventsOne,
    variables: { before: before(position), position, filter: { categories } },
    requestPolicy: "cache-first",
  });
  const event = data?.events.nodes[0];
  const fault = error && faultOf(error);
  // Behind the end of the log there is nothing.
  const isReadable = fault === undefined || fault.code === "POSITION_NOT_REACHED";
  useKeys([{ keys: "Escape", does: "close the event", run: onClose }], "Event");
  return (
    <section aria-label={`Event ${position}`} className="flex min-h-0 flex-1 flex-col bg-surface">
      {fault && !isReadable && <ErrorState fault={fault} onRetry={() => again({ requestPolicy: "network-only" })} />}
      {isReadable && fetching && <PaneSkeleton />}
      {isReadable && !fetching && event === undefined && <NoEvent position={position} onClose={onClose} />}
      {isReadable && !fetching && event && (
        <Whole key={event.id} event={event} tab={tab} onSearch={onSearch} onClose={onClose} />
      )}
    </section>
  );
}

function PaneSkeleton() {
  return (
    <div className="flex flex-col gap-3 p-4">
      <Skeleton className="h-5 w-1/2" />
      <Skeleton className="h-3 w-3/4" />
      <Skeleton className="h-3 w-2/3" />
      <Skeleton className="h-40 w-full" />
    </div>
  );
}

function NoEvent({ position, onClose }: { position: string; onClose: () => void }) {
  return (
    <div className="flex flex-col items-start gap-2 p-4 text-sm">
      <h2 className="font-semibold">Nothing to see at #{position}</h2>
      <p className="text-muted">
        There is no event at this position, or it is one that you may not see: the log holds those of all tenants, and
        each kind needs a permission.
      </p>
      <Button onClick={onClose}>Back to the list</Button>
    </div>
  );
}

function Whole({
  event,
  tab,
  onSearch,
  onClose,
}: { event: EventsWholeFragment } & Omit<EventPaneProps, "position" | "category">) {
  const stream = { category: event.category, id: event.streamId };
  const step = async (direction: "FORWARD" | "BACKWARD") => {
    const isForward = direction === "FORWARD";
    const variables = {
      stream,
      direction,
      from: isForward ? event.position : undefined,
      asOf: isForward ? undefined : { position: before(event.position) },
    };
    const { data, error } = await client.query(EventsOfStream, variables).toPromise();
    const [next] = data?.events.nodes ?? [];
    if (next) onSearch({ position: next.position });
    else if (error) sayFault("The stream was not read", faultOf(error));
    else
      toast({
        tone: "info",
        title: direction === "FORWARD" ? "It is the last of its stream" : "It is the first of its stream",
      });
  };
  useKeys(
    [
      { keys: "[", does: "the event before it in its stream", run: () => void step("BACKWARD") },
      { keys: "]", does: "the event after it in its stream", run: () => void step("FORWARD") },
      { keys: "1", does: "its payload", run: () => onSearch({ tab: undefined }) },
      { keys: "2", does: "the state before and after it", run: () => onSearch({ tab: "state" }) },
      { keys: "3", does: "what led to it, and what came of it", run: () => onSearch({ tab: "story" }) },
    ],
    "Event",
  );
  return (
    <>
      <header className="border-b px-4 pt-3 pb-3">
        <div className="flex items-start gap-1">
          <div className="min-w-0 flex-1">
            <h2 className="truncate text-[15px] font-semibold" title={event.type}>
              {event.type}
            </h2>
            <p className="text-xs text-muted tabular-nums">
              #{event.position} · <Time value={event.recordedAt} exact />
            </p>
          </div>
          <IconButton
            size="small"
            label="The event before it in its stream"
            icon={<Icon name="right" className="rotate-180" />}
            onClick={() => void step("BACKWARD")}
          />
          <IconButton
            size="small"
            label="The event after it in its stream"
            icon={<Icon name="right" />}
            onClick={() => void step("FORWARD")}
          />
          <CopyMenu event={event} />
          <IconButton size="small" label="Close the event" icon={<Icon name="close" />} onClick={onClose} />
        </div>
        <div className="mt-3">
          <EventFacts event={event} onSearch={onSearch} />
        </div>
      </header>
      <Tabs
        label="About the event"
        className="flex-1"
        value={tab}
        onChange={(next) => onSearch({ tab: next === "payload" ? undefined : next })}
        tabs={[
          {
            value: "payload",
            label: "Payload",
            content: <JsonView className="h-full" label="the payload" value={event.payload} depth={3} />,
          },
          { value: "state", label: "State", content: <StateTab event={event} /> },
          { value: "story", label: "Story", content: <StoryTab event={event} onSearch={onSearch} /> },
        ]}
      />
    </>
  );
}

function EventFacts({ event, onSearch }: { event: EventsWholeFragment; onSearch: EventPaneProps["onSearch"] }) {
  const { actor, onBehalfOf } = event;
  const filterOf = actor.account?.id ?? `${actor.kind}:${actor.name}`;
  const narrow = (label: string, change: Partial<EventsSearch>, text: ReactNode) => (
    <button
      type="button"
      title={label}
      aria-label={label}
      onClick={() => onSearch(change)}
      className="max-w-full truncate text-left text-accent hover:underline"
    >
      {text}
    </button>
  );
  const stream = `${event.category}/${event.streamId}`;
  return (
    <Facts
      facts={[
        [
          "Stream",
          <span key="stream" className="flex min-w-0 flex-wrap items-center gap-x-2">
            <span className="min-w-0 font-mono text-[12.5px]">
              {narrow(`Only the events of ${stream}`, { stream }, stream)}
            </span>
            <Thing category={event.category} id={event.streamId} position={event.position} />
          </span>,
        ],
        ["Place in it", `event ${event.revision}, version ${event.schemaVersion} of its shape`],
        ["Who", narrow(`Only what ${actorName(actor)} did`, { actor: filterOf }, actorName(actor))],
        ["On behalf of", onBehalfOf ? actorName(onBehalfOf) : undefined],
        ["Let in by", event.via],
        ["Why", event.reason],
        ["Request", event.requestId && <span className="font-mono text-[12.5px] break-all">{event.requestId}</span>],
        ["Trace", event.traceparent && <span className="font-mono text-[12.5px] break-all">{event.traceparent}</span>],
        ["", event.known ? undefined : "This build does not know its type or version: it changes no state."],
      ]}
    />
  );
}

/** The page of what an event happened to. */
function Thing({ category, id, position }: { category: string; id: string; position: string }) {
  const style = "text-xs text-muted underline hover:text-text";
  switch (category) {
    case "execution":
      return (
        <Link to="/executions/$executionId" params={{ executionId: id }} search={{ position }} className={style}>
          debug it
        </Link>
      );
    case "workflow":
      return (
        <Link to="/workflows/$workflowId" params={{ workflowId: id }} className={style}>
          open the workflow
        </Link>
      );
    case "agent":
      return (
        <Link to="/agents/$agentName" params={{ agentName: id }} className={style}>
          open the agent
        </Link>
      );
    case "agent-run":
      return (
        <Link to="/agent-runs/$runId" params={{ runId: id }} className={style}>
          open the run
        </Link>
      );
    case "model":
      return (
        <Link to="/models/$modelName" params={{ modelName: id }} className={style}>
          open the model
        </Link>
      );
    case "account":
      return (
        <Link to="/admin/$section" params={{ section: "accounts" }} search={{ account: id }} className={style}>
          open the account
        </Link>
      );
    default:
      return null;
  }
}

function CopyMenu({ event }: { event: EventsWholeFragment }) {
  const copy = async (what: string, text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      toast({ tone: "good", title: `Copied ${what}` });
    } catch {
      toast({
        tone: "bad",
        title: "It was not copied",
        advice: "The browser gives the clipboard to pages with TLS alone.",
      });
    }
  };
  return (
    <Menu
      trigger={<IconButton size="small" label="Copy the event" icon={<Icon name="copy" />} />}
      items={[
        { label: "As JSON", run: () => void copy("the event as JSON", JSON.stringify(event, null, 2)) },
        { label: "As curl", run: () => void copy("a curl line", curlLine(event.position, before(event.position))) },
        { label: "As a CLI line", run: () => void copy("a CLI line", cliLine(event)) },
        { label: "Its link", run: () => void copy("its link", `${location.origin}/events?position=${event.position}`) },
      ]}
    />
  );
}
