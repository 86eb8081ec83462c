import { memo, useRef } from "react";
import { Badge, classes, duration } from "@/ui";
import { useRowWindow } from "@/ui/row-window";
import { toneOfEvent, wordsOfEvent } from "../event-names";
import type { History, HistoryEvent } from "../history/history";
import type { PayloadHits } from "./payload-hits";

const ROW = 30;

export interface EventRowsProps {
  history: History;
  version: number;
  revision: number;
  /** Revisions that are listed; all of them where it is absent. */
  rows: readonly number[] | undefined;
  hits: PayloadHits;
  onGo: (revision: number) => void;
}

/** The events, of which only those in sight are drawn. */
export const EventRows = memo(function EventRows({ history, revision, rows, hits, onGo }: EventRowsProps) {
  const count = rows?.length ?? history.length;
  const index = rows ? nearest(rows, revision) : revision - 1;
  const box = useRef<HTMLDivElement>(null);
  const shown = useRowWindow(box, { count, rowHeight: ROW, index });
  const began = history.event(1)?.at ?? 0;
  return (
    <div
      ref={box}
      role="listbox"
      aria-label="Events"
      tabIndex={0}
      aria-activedescendant={`event-${revision}`}
      onScroll={shown.onScroll}
      onKeyDown={(event) => {
        const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
        if (step === 0) return;
        event.preventDefault();
        const next = rows ? rows[index + step] : revision + step;
        if (next !== undefined && next >= 1 && next <= history.length) onGo(next);
      }}
      className="min-h-0 flex-1 overflow-auto outline-offset-[-2px]"
    >
      <div role="presentation" className="relative" style={{ height: `${count * ROW}px` }}>
        {shown.rows.map((row) => {
          const place = rows ? (rows[row.index] ?? 0) : row.index + 1;
          const event = history.event(place);
          return (
            <Row
              key={row.slot}
              place={place}
              top={row.top}
              isChosen={place === revision}
              event={event}
              began={began}
              runIndex={event && history.run(event.run)?.runIndex}
              excerpt={event && hits.excerpts.get(event.position)}
              onGo={onGo}
            />
          );
        })}
      </div>
    </div>
  );
});

interface RowProps {
  place: number;
  /** Where it lies, in pixels. */
  top: number;
  isChosen: boolean;
  /** Absent until it is read. */
  event: HistoryEvent | undefined;
  began: number;
  runIndex: number | undefined;
  excerpt: string | undefined;
  onGo: (revision: number) => void;
}

const Row = memo(function Row({ place, top, isChosen, event, began, runIndex, excerpt, onGo }: RowProps) {
  return (
    <div
      id={`event-${place}`}
      role="option"
      aria-selected={isChosen}
      onClick={() => onGo(place)}
      style={{ height: `${ROW}px`, transform: `translateY(${top}px)` }}
      className={classes(
        // Nothing in a row moves anything outside of it.
        "absolute inset-x-0 top-0 flex cursor-pointer items-center gap-2 border-b px-3 text-[13px] contain-strict",
        isChosen ? "bg-accent-soft" : "hover:bg-hover",
      )}
    >
      <span className="w-10 shrink-0 text-right text-xs text-muted tabular-nums">{place}</span>
      {event ? (
        <Told event={event} began={began} runIndex={runIndex} excerpt={excerpt} />
      ) : (
        <span aria-hidden className="h-3 w-1/2 animate-pulse rounded bg-hover" />
      )}
    </div>
  );
});

interface ToldProps extends Pick<RowProps, "began" | "runIndex" | "excerpt"> {
  event: HistoryEvent;
}

function Told({ event, began, runIndex, excerpt }: ToldProps) {
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
