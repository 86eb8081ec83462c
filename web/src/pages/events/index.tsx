import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { seenCategories } from "@/app/event-kinds";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { useIsWide } from "@/ui/wide";
import type { EventFilter } from "@/gql/schema";
import { actorName } from "@/parts/ActorName";
import {
  Button,
  type Column,
  EmptyState,
  ExportDialog,
  Icon,
  PageHeader,
  type Rows,
  Splitter,
  Time,
  VirtualTable,
  classes,
} from "@/ui";
import { counted } from "@/ui/counted";
import { EventsLive, type Row } from "./documents";
import { EventPane } from "./EventPane";
import { EXPORT_COLUMNS, exported } from "./export";
import { Filters } from "./Filters";
import { JumpDialog } from "./JumpDialog";
import type { EventsSearch } from "./search";
import { useStretch } from "./useStretch";

const route = getRouteApi("/events");

const COLUMNS: Column<Row>[] = [
  {
    key: "position",
    header: "Position",
    width: "4.5rem",
    align: "end",
    cell: (row) => <span className="font-mono text-xs text-muted">{row.position}</span>,
  },
  {
    key: "type",
    header: "Event",
    width: "minmax(0, 1.4fr)",
    cell: (row) => (
      <>
        <span className="font-medium">{row.type}</span>
        {row.excerpt !== undefined && (
          <span className="ml-2 font-mono text-xs text-muted" title={row.excerpt}>
            {row.excerpt}
          </span>
        )}
      </>
    ),
  },
  {
    key: "stream",
    header: "Stream",
    wideOnly: true,
    cell: (row) => (
      <span title={`${row.category}/${row.streamId}`}>
        <span className="text-muted">{row.category}/</span>
        <span className="font-mono text-xs">{shortened(row.streamId)}</span>
      </span>
    ),
  },
  { key: "who", header: "Who", width: "minmax(0, 0.6fr)", wideOnly: true, cell: (row) => actorName(row.actor) },
  { key: "time", header: "Recorded", width: "6rem", align: "end", cell: (row) => <Time value={row.recordedAt} /> },
];

/** The end of an id tells it from others made at the same time. */
function shortened(id: string): string {
  return /^[0-9a-f]{8}-/.test(id) ? `…${id.slice(-12)}` : id;
}

function filterOf(search: EventsSearch, seen: string[] | undefined): EventFilter {
  const [category, ...rest] = search.stream?.split("/") ?? [];
  const hasStream = category !== undefined && rest.length > 0;
  return {
    categories: search.category === undefined ? (hasStream ? undefined : seen) : [search.category],
    types: search.type,
    stream: hasStream ? { category, id: rest.join("/") } : undefined,
    actors: search.actor === undefined ? undefined : [search.actor],
  };
}

/** The log as it is: everything that ever happened, in one order. */
export function EventsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const { can } = useViewer();
  const isWide = useIsWide();
  const seen = seenCategories(can);
  const filter = filterOf(search, seen);
  const [anchor, setAnchor] = useState(search.position);
  const [isLive, setLive] = useState(true);
  const [open, setOpen] = useState<"jump" | "export">();
  const field = useRef<HTMLInputElement>(null);
  const waitFor = useLastWrite();
  const { stretch, reload } = useStretch(filter, search.query, anchor, waitFor);
  usePageTitle(search.position === undefined ? undefined : `Event ${search.position}`, "Events");

  // A place in the address that is not in the list, such as that of a link, is where the list begins anew.
  const [known, setKnown] = useState(search.position);
  if (known !== search.position) {
    setKnown(search.position);
    if (search.position !== undefined && stretch.find(search.position) === undefined && stretch.hasBegun)
      setAnchor(search.position);
  }

  const isAtHead = stretch.hasBegun && !stretch.hasNewer && search.query === undefined;
  // Where the tail begins: it is read when it begins, and not again for each event that it brings.
  const from = useMemo(() => (isAtHead && isLive ? stretch.top : undefined), [stretch, isAtHead, isLive]);
  const live = useLive(EventsLive, { filter, resumeFrom: from }, (data) => stretch.take(data.events), {
    position: (data) => data.events.position,
    enabled: from !== undefined,
  });

  const change = (next: Partial<EventsSearch>, replace = false) =>
    void navigate({ to: "/events", search: (old: EventsSearch) => ({ ...old, ...next }), replace });
  const narrow = (next: Partial<EventsSearch>) => {
    if (next.position === undefined) setAnchor(undefined);
    change(next);
  };
  const close = () => change({ position: undefined, tab: undefined });
  const newest = () => {
    setAnchor(undefined);
    close();
    reload();
  };
  const isFiltered = [search.category, search.type, search.stream, search.actor, search.query].some(
    (one) => one !== undefined,
  );
  const clear = () => {
    setAnchor(undefined);
    void navigate({ to: "/events", search: { position: search.position } });
  };
  useKeys(
    [
      { keys: "/", does: "look for a text in payloads", run: () => field.current?.focus() },
      { keys: ".", does: "pause or go on with what happens now", run: () => setLive(!isLive) },
      { keys: "p", does: "go to a position or a time", run: () => setOpen("jump") },
      { keys: "n", does: "go to the newest", run: newest },
      { keys: "x", does: "take all filters away", run: clear },
      { keys: "e", does: "write the events into a file", run: () => setOpen("export") },
    ],
    "Events",
  );
  useActions([
    { id: "events.jump", label: "Go to a position or a time in the log", run: () => setOpen("jump") },
    {
      id: "events.export",
      label: "Write these events into a file",
      keywords: "export csv json",
      run: () => setOpen("export"),
    },
    {
      id: "events.live",
      label: isLive ? "Pause what happens now" : "Go on with what happens now",
      run: () => setLive(!isLive),
    },
  ]);

  const rows: Rows<Row> = {
    count: stretch.rows.length,
    hasMore: stretch.hasOlder && !stretch.isCut,
    rowAt: (index) => stretch.rows[index],
    ensure: (first, last) => stretch.ensure(first, last),
    isLoading: stretch.isLoading,
    isEmpty: stretch.isEmpty,
    fault: stretch.problem,
    reload,
  };
  const list = (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <VirtualTable
        // A list that begins elsewhere begins at its top.
        key={`${JSON.stringify(filter)} ${search.query ?? ""} ${anchor ?? ""}`}
        label="Events"
        rows={rows}
        columns={search.position !== undefined && isWide ? COLUMNS.filter((one) => one.key !== "who") : COLUMNS}
        keyOf={(row) => row.position}
        selectedKey={search.position}
        onOpen={(row) => change({ position: row.position }, search.position !== undefined)}
        before={stretch.before}
        holdsTop={stretch.grewByReading}
        empty={<NoEvents isFiltered={isFiltered} onClear={clear} />}
      />
      <StatusLine
        stretch={stretch}
        query={search.query}
        onGoOn={() => stretch.goOn()}
        onNewest={newest}
        state={isAtHead ? (isLive ? (live.problem ? "problem" : "live") : "paused") : "past"}
        problem={live.problem?.message}
      />
    </div>
  );
  const pane = search.position !== undefined && (
    <EventPane
      key={search.position}
      position={search.position}
      category={stretch.find(search.position)?.category}
      tab={search.tab ?? "payload"}
      onSearch={(next) => change(next)}
      onClose={close}
    />
  );
  return (
    <>
      <PageHeader
        title="Events"
        actions={
          <>
            <Button onClick={() => setOpen("jump")}>Go to…</Button>
            <Button aria-pressed={!isLive} onClick={() => setLive(!isLive)} disabled={!isAtHead}>
              <Icon name={isLive ? "pause" : "play"} />
              {isLive ? "Pause" : "Go on"}
            </Button>
            <Button onClick={() => setOpen("export")}>Export</Button>
          </>
        }
      />
      {(isWide || pane === false) && <Filters search={search} onChange={narrow} field={field} />}
      {pane === false ? (
        list
      ) : isWide ? (
        <Splitter
          label="The list and the event"
          first={list}
          second={pane}
          initial={52}
          min={30}
          max={75}
          keepAs="events"
        />
      ) : (
        pane
      )}
      <JumpDialog
        isOpen={open === "jump"}
        onClose={() => setOpen(undefined)}
        onJump={(position) => {
          setOpen(undefined);
          setAnchor(position);
          change({ position, query: undefined });
        }}
      />
      <ExportDialog
        title="Write events into a file"
        isOpen={open === "export"}
        onClose={() => setOpen(undefined)}
        fileName="events"
        read={(signal) => exported(filter, signal)}
        columns={EXPORT_COLUMNS}
      >
        {isFiltered ? "All events that pass the filters" : "All events of the log"}, with their payloads, up to the
        newest one at this moment, the oldest first.
        {search.query !== undefined && " The text is no part of it: it narrows the list alone."}
      </ExportDialog>
    </>
  );
}

function NoEvents({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return isFiltered ? (
    <EmptyState
      icon="search"
      title="No event passes the filters"
      action={<Button onClick={onClear}>Take the filters away</Button>}
    >
      Events are kept for ever, so what was there once is still there: look whether a filter is too narrow.
    </EmptyState>
  ) : (
    <EmptyState icon="event" title="Nothing has happened yet">
      Whatever happens is an event here, in one order, for ever. Import a workflow and run it:
      <br />
      <code>timeloom workflow import FILE --server {location.origin}</code>
    </EmptyState>
  );
}

interface StatusLineProps {
  stretch: {
    rows: readonly Row[];
    searched: number;
    isCut: boolean;
    hasOlder: boolean;
    isLoading: boolean;
    hasNewer: boolean;
  };
  query: string | undefined;
  state: "live" | "paused" | "past" | "problem";
  problem: string | undefined;
  onGoOn: () => void;
  onNewest: () => void;
}

const DOTS = { live: "bg-good", paused: "bg-warn", past: "bg-line-strong", problem: "bg-bad" } as const;

function StatusLine({ stretch, query, state, problem, onGoOn, onNewest }: StatusLineProps) {
  const words = {
    live: "Live",
    paused: "Paused: what happens now waits",
    past: query === undefined ? "In the past" : "A search: what happens now is not in it",
    problem: problem ?? "It does not come by itself",
  };
  return (
    <div
      role="status"
      className="flex h-8 shrink-0 items-center gap-2 border-t bg-surface px-4 text-xs text-muted md:px-6"
    >
      <span aria-hidden className={classes("size-1.5 rounded-full", DOTS[state])} />
      <span className="truncate">{words[state]}</span>
      {state === "past" && stretch.hasNewer && (
        <Button size="small" kind="quiet" onClick={onNewest}>
          To the newest
        </Button>
      )}
      <span className="flex-1" />
      {query !== undefined && (
        <span className="truncate tabular-nums">
          {stretch.rows.length.toLocaleString()} found in {counted(stretch.searched, "event")}
          {!stretch.isCut && !stretch.hasOlder && ", all there are"}
        </span>
      )}
      {stretch.isCut && (
        <Button size="small" isBusy={stretch.isLoading} onClick={onGoOn}>
          Look further
        </Button>
      )}
    </div>
  );
}
