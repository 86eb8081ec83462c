import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef } from "react";
import { Badge, Button, EmptyState, Icon, Menu, Splitter, classes, duration } from "@/ui";
import { toneOfEvent, wordsOfEvent } from "../event-names";
import type { History, HistoryEvent } from "../history/history";
import type { ExecutionSearch } from "../search";
import type { ChangeView } from "../view";
import { EventDetail } from "./EventDetail";
import { type PayloadHits, usePayloadHits } from "./payload-hits";

const ROW = 30;

export interface EventsPanelProps {
  id: string;
  history: History;
  version: number;
  revision: number;
  view: ExecutionSearch;
  change: ChangeView;
  onGo: (revision: number) => void;
  searchId: string;
}

export function EventsPanel(props: EventsPanelProps) {
  const { id, history, version, revision, view, change, onGo, searchId } = props;
  const hits = usePayloadHits(id, view.find ?? "");
  const rows = useRows(history, version, view, hits);
  const types = useMemo(() => typesOf(history), [history, version]); // eslint-disable-line react-hooks/exhaustive-deps
  const chosen = new Set(view.types ?? []);
  const toggle = (type: string) => {
    const next = chosen.has(type) ? [...chosen].filter((one) => one !== type) : [...chosen, type];
    change({ types: next.length > 0 ? next : undefined });
  };
  const position = history.event(revision)?.position;
  const list = (
    <>
      <div className="flex items-center gap-1.5 border-b px-3 py-1.5">
        <input
          id={searchId}
          type="search"
          aria-label="Search in events and payloads"
          placeholder="Search events and payloads ( / )"
          value={view.find ?? ""}
          onChange={(event) => change({ find: event.target.value === "" ? undefined : event.target.value })}
          className="h-7 min-w-0 flex-1 rounded border border-line-strong/60 bg-surface px-2 text-[13px] placeholder:text-muted"
        />
        <Menu
          trigger={
            <Button size="small" kind={chosen.size > 0 ? "primary" : "plain"}>
              {chosen.size > 0 ? `${chosen.size} types` : "All types"} <Icon name="down" className="size-3" />
            </Button>
          }
          items={[
            { label: "All types", run: () => change({ types: undefined }), checked: chosen.size === 0 },
            "line",
            ...types.map((type) => ({ label: type, run: () => toggle(type), checked: chosen.has(type) })),
          ]}
        />
      </div>
      <Status hits={hits} shown={rows?.length} query={view.find ?? ""} />
      {rows?.length === 0 ? (
        <EmptyState icon="search" title="No event is like that">
          <p>Names of nodes, types and what is in payloads are looked through.</p>
          <div className="mt-3">
            <Button onClick={() => change({ find: undefined, types: undefined })}>Show all events</Button>
          </div>
        </EmptyState>
      ) : (
        <EventRows history={history} version={version} revision={revision} rows={rows} hits={hits} onGo={onGo} />
      )}
    </>
  );
  return (
    <Splitter
      label="Events and the chosen event"
      direction="column"
      initial={60}
      keepAs="execution-events"
      first={list}
      second={<EventDetail id={id} position={position} />}
    />
  );
}

function Status({ hits, shown, query }: { hits: PayloadHits; shown: number | undefined; query: string }) {
  if (query === "" && shown === undefined) return null;
  return (
    <p role="status" className="flex items-center gap-2 border-b px-3 py-1 text-xs text-muted">
      {shown !== undefined && <span>{shown.toLocaleString()} shown</span>}
      {query.length === 1 && <span>payloads are searched from two characters on</span>}
      {hits.isSearching && <span>searching payloads …</span>}
      {hits.problem !== undefined && <span className="text-bad">{hits.problem}</span>}
      {hits.more && (
        <Button size="small" kind="quiet" onClick={hits.more}>
          Search further
        </Button>
      )}
    </p>
  );
}

interface EventRowsProps {
  history: History;
  version: number;
  revision: number;
  /** Revisions that are listed; all of them where it is absent. */
  rows: readonly number[] | undefined;
  hits: PayloadHits;
  onGo: (revision: number) => void;
}

const EventRows = memo(function EventRows({ history, revision, rows, hits, onGo }: EventRowsProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const count = rows?.length ?? history.length;
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 8,
    initialRect: { width: 400, height: 400 },
  });
  const index = rows ? nearest(rows, revision) : revision - 1;
  useEffect(() => {
    if (index >= 0) virtual.scrollToIndex(index, { align: "auto" });
  }, [virtual, index]);
  const began = history.event(1)?.at ?? 0;
  return (
    <div
      ref={scroll}
      role="listbox"
      aria-label="Events"
      tabIndex={0}
      aria-activedescendant={`event-${revision}`}
      onKeyDown={(event) => {
        const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
        if (step === 0) return;
        event.preventDefault();
        const next = rows ? rows[index + step] : revision + step;
        if (next !== undefined && next >= 1 && next <= history.length) onGo(next);
      }}
      className="min-h-0 flex-1 overflow-auto outline-offset-[-2px]"
    >
      <div role="presentation" className="relative" style={{ height: `${virtual.getTotalSize()}px` }}>
        {virtual.getVirtualItems().map((item) => {
          const place = rows ? (rows[item.index] ?? 0) : item.index + 1;
          const event = history.event(place);
          const isChosen = place === revision;
          return (
            <div
              key={place}
              id={`event-${place}`}
              role="option"
              aria-selected={isChosen}
              onClick={() => onGo(place)}
              style={{ height: `${ROW}px`, transform: `translateY(${item.start}px)` }}
              className={classes(
                "absolute inset-x-0 top-0 flex cursor-pointer items-center gap-2 border-b px-3 text-[13px]",
                isChosen ? "bg-accent-soft" : "hover:bg-hover",
              )}
            >
              <span className="w-10 shrink-0 text-right text-xs text-muted tabular-nums">{place}</span>
              {event ? (
                <Row
                  event={event}
                  began={began}
                  runIndex={history.run(event.run)?.runIndex}
                  excerpt={hits.excerpts.get(event.position)}
                />
              ) : (
                <span aria-hidden className="h-3 w-1/2 animate-pulse rounded bg-hover" />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
});

interface RowProps {
  event: HistoryEvent;
  began: number;
  runIndex: number | undefined;
  excerpt: string | undefined;
}

function Row({ event, began, runIndex, excerpt }: RowProps) {
  return (
    <>
      <span className="w-24 shrink-0 truncate">
        <Badge tone={toneOfEvent(event.type)}>{wordsOfEvent(event.type)}</Badge>
      </span>
      <span className="min-w-0 shrink truncate">
        {event.node ?? <span className="text-muted">{event.type.startsWith("Execution") ? "execution" : "…"}</span>}
        {(runIndex ?? 0) > 0 && <span className="text-muted"> run {(runIndex ?? 0) + 1}</span>}
      </span>
      {excerpt !== undefined && <code className="min-w-0 flex-1 truncate text-[11px] text-muted">{excerpt}</code>}
      <span className="ml-auto shrink-0 text-xs text-muted tabular-nums">
        +{duration(Math.max(0, event.at - began))}
      </span>
    </>
  );
}

/** Revisions that pass the filters; `undefined` when there is none. */
function useRows(history: History, version: number, view: ExecutionSearch, hits: PayloadHits): number[] | undefined {
  const find = (view.find ?? "").toLowerCase();
  const key = view.types?.join("\n") ?? "";
  return useMemo(() => {
    if (find === "" && key === "") return undefined;
    const types = new Set(key === "" ? [] : key.split("\n"));
    const rows: number[] = [];
    for (let revision = 1; revision <= history.length; revision += 1) {
      const event = history.event(revision);
      if (!event || (types.size > 0 && !types.has(event.type))) continue;
      const isFound =
        find === "" ||
        event.type.toLowerCase().includes(find) ||
        event.node?.toLowerCase().includes(find) === true ||
        hits.excerpts.has(event.position);
      if (isFound) rows.push(revision);
    }
    return rows;
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [history, version, find, key, hits.excerpts]);
}

function typesOf(history: History): string[] {
  const types = new Set<string>();
  for (let revision = 1; revision <= history.length; revision += 1) {
    const event = history.event(revision);
    if (event) types.add(event.type);
  }
  return [...types].sort();
}

/** Place of the last row at or before a revision. */
function nearest(rows: readonly number[], revision: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
