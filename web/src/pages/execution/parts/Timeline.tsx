import { type MouseEvent, memo, use, useEffect, useMemo, useRef, useState } from "react";
import { Button, EmptyState, classes, duration } from "@/ui";
import type { History, HistoryRun, NodeStatus } from "../history/history";
import { ShownContext, useIsChosenLane, useMoment } from "./shown";
import { useThemeVersion } from "./theme-version";

const LANE = 24;
const COLOURS: Partial<Record<NodeStatus, string>> = {
  COMPLETED: "--good",
  FAILED: "--bad",
  WAITING: "--warn",
  RETRYING: "--warn",
  RUNNING: "--info",
};
/** A canvas of a browser has no more pixels than this in one direction. */
const PIXELS_MAX = 16_000;
const ZOOM = 2;

export interface TimelineProps {
  history: History;
  version: number;
  onChoose: (run: HistoryRun) => void;
}

interface Bar extends HistoryRun {
  from: number;
  to: number;
  lane: number;
}

/** Runs of nodes over time, a lane for each node. */
export const Timeline = memo(function Timeline({ history, version, onChoose }: TimelineProps) {
  const { bars, byIndex, lanes, from, to } = useMemo(() => layout(history), [history, version]); // eslint-disable-line react-hooks/exhaustive-deps
  const shown = use(ShownContext);
  const [window, setWindow] = useState<[number, number]>([0, 1]);
  const [hovered, setHovered] = useState<Bar | undefined>();
  const length = Math.max(1, to - from);
  const start = from + window[0] * length;
  const span = Math.max(0.001, (window[1] - window[0]) * length);
  /** Where the event is, as far as that is in the window. */
  const middle = () => {
    const at = history.event(shown.moment().revision)?.at ?? from;
    return Math.min(window[1], Math.max(window[0], (at - from) / length));
  };
  const zoom = (factor: number, center = middle()) => {
    const size = Math.min(1, Math.max(1e-6, (window[1] - window[0]) * factor));
    const first = Math.min(1 - size, Math.max(0, center - ((center - window[0]) / (window[1] - window[0])) * size));
    setWindow([first, first + size]);
  };
  const pan = (by: number) => {
    const size = window[1] - window[0];
    const first = Math.min(1 - size, Math.max(0, window[0] + by * size));
    setWindow([first, first + size]);
  };
  const barAt = (event: MouseEvent<HTMLElement>): Bar | undefined => {
    const box = event.currentTarget.getBoundingClientRect();
    const time = start + ((event.clientX - box.left) / box.width) * span;
    const lane = Math.floor((event.clientY - box.top) / LANE);
    const slack = (3 / box.width) * span;
    let best: Bar | undefined;
    let distance = Number.POSITIVE_INFINITY;
    for (const bar of bars) {
      if (bar.lane !== lane || time < bar.from - slack || time > bar.to + slack) continue;
      const away = Math.abs((bar.from + bar.to) / 2 - time);
      if (away < distance) [best, distance] = [bar, away];
    }
    return best;
  };
  if (bars.length === 0)
    return (
      <EmptyState icon="clock" title="No node has run yet">
        Each run of a node is a bar here, as long as it took.
      </EmptyState>
    );
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-2 border-b px-3 py-1 text-xs text-muted">
        <span className="tabular-nums">
          {duration(start - from)} – {duration(start - from + span)}
        </span>
        <span className="min-w-0 flex-1 truncate" aria-live="polite">
          {hovered &&
            `${hovered.node}${hovered.runIndex > 0 ? ` run ${hovered.runIndex + 1}` : ""}: ${
              hovered.durationMs === undefined ? "not ended" : duration(hovered.durationMs)
            }`}
        </span>
        <Button size="small" kind="quiet" aria-label="Earlier" onClick={() => pan(-0.5)} disabled={window[0] <= 0}>
          ←
        </Button>
        <Button size="small" kind="quiet" aria-label="Later" onClick={() => pan(0.5)} disabled={window[1] >= 1}>
          →
        </Button>
        <Button size="small" kind="quiet" aria-label="Zoom out" onClick={() => zoom(ZOOM)}>
          −
        </Button>
        <Button size="small" kind="quiet" aria-label="Zoom in" onClick={() => zoom(1 / ZOOM)}>
          +
        </Button>
        <Button size="small" kind="quiet" onClick={() => setWindow([0, 1])}>
          All
        </Button>
      </div>
      <div className="flex min-h-0 flex-1 overflow-auto" tabIndex={0} role="region" aria-label="Timeline of node runs">
        <Lanes lanes={lanes} />
        <div
          className="relative min-w-0 flex-1 cursor-pointer overflow-hidden"
          style={{ height: `${lanes.length * LANE}px` }}
          onMouseMove={(event) => setHovered(barAt(event))}
          onMouseLeave={() => setHovered(undefined)}
          onClick={(event) => {
            const bar = barAt(event);
            if (bar) onChoose(bar);
          }}
          onWheel={(event) => {
            if (!event.ctrlKey && !event.metaKey) return;
            const box = event.currentTarget.getBoundingClientRect();
            const center = window[0] + ((event.clientX - box.left) / box.width) * (window[1] - window[0]);
            zoom(event.deltaY > 0 ? 1.25 : 0.8, center);
          }}
        >
          <Bars bars={bars} lanes={lanes.length} start={start} span={span} />
          <Marks history={history} byIndex={byIndex} from={from} start={start} span={span} />
        </div>
      </div>
    </div>
  );
});

interface MarksProps {
  history: History;
  byIndex: ReadonlyMap<number, Bar>;
  from: number;
  start: number;
  span: number;
}

/** What moves with each step: the moment, and the run that is looked at. */
function Marks({ history, byIndex, from, start, span }: MarksProps) {
  const { revision, run } = useMoment();
  const bar = run && byIndex.get(run.executionIndex);
  const at = history.event(revision)?.at ?? from;
  const share = (time: number) => (time - start) / span;
  return (
    <>
      {bar && bar.to >= start && bar.from <= start + span && (
        <span
          aria-hidden
          className="absolute rounded-sm bg-accent"
          style={{
            top: `${bar.lane * LANE + 3}px`,
            height: `${LANE - 6}px`,
            left: `${Math.max(0, share(bar.from)) * 100}%`,
            width: `max(3px, ${(Math.min(1, share(bar.to)) - Math.max(0, share(bar.from))) * 100}%)`,
          }}
        />
      )}
      {share(at) >= 0 && share(at) <= 1 && (
        // As wide as the lanes, so that it goes where it has to be without a layout.
        <span
          aria-hidden
          className="pointer-events-none absolute inset-0 border-l border-accent"
          style={{ transform: `translateX(${share(at) * 100}%)` }}
        />
      )}
    </>
  );
}

const Lanes = memo(function Lanes({ lanes }: { lanes: readonly string[] }) {
  return (
    <ul className="w-28 shrink-0 border-r md:w-36" style={{ height: `${lanes.length * LANE}px` }}>
      {lanes.map((lane) => (
        <Lane key={lane} name={lane} />
      ))}
    </ul>
  );
});

function Lane({ name }: { name: string }) {
  const isChosen = useIsChosenLane(name);
  return (
    <li
      title={name}
      style={{ height: `${LANE}px` }}
      className={classes("truncate px-3 text-xs leading-6", isChosen && "bg-accent-soft font-medium")}
    >
      {name}
    </li>
  );
}

interface BarsProps {
  bars: readonly Bar[];
  lanes: number;
  start: number;
  span: number;
}

const Bars = memo(function Bars({ bars, lanes, start, span }: BarsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useThemeVersion();
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const height = lanes * LANE;
    const scale = Math.min(devicePixelRatio, PIXELS_MAX / height);
    element.width = width * scale;
    element.height = height * scale;
    context.scale(scale, scale);
    const styles = getComputedStyle(element);
    const colour = (name: string) => styles.getPropertyValue(name);
    context.fillStyle = colour("--line");
    for (let lane = 1; lane <= lanes; lane += 1) context.fillRect(0, lane * LANE - 1, width, 1);
    const colours = new Map<NodeStatus, string>();
    const drawnTo = new Map<number, number>();
    for (const bar of bars) {
      if (bar.to < start || bar.from > start + span) continue;
      const x = Math.max(-2, ((bar.from - start) / span) * width);
      const end = Math.min(width + 2, ((bar.to - start) / span) * width);
      const fill = colours.get(bar.status) ?? colour(COLOURS[bar.status] ?? "--line-strong");
      colours.set(bar.status, fill);
      const wide = Math.max(2, end - x);
      // Of many runs in the same place one is drawn, unless one failed.
      if (bar.status === "COMPLETED" && x + wide <= (drawnTo.get(bar.lane) ?? -1)) continue;
      drawnTo.set(bar.lane, x + wide);
      context.fillStyle = fill;
      context.beginPath();
      context.roundRect(x, bar.lane * LANE + 6, wide, LANE - 12, 2);
      context.fill();
    }
  }, [bars, lanes, start, span, width, theme]);
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={`${bars.length} node runs in ${lanes} lanes; the keys h and l go from run to run`}
      className="block h-full w-full"
    />
  );
});

interface Laid {
  bars: Bar[];
  byIndex: ReadonlyMap<number, Bar>;
  lanes: string[];
  from: number;
  to: number;
}

function layout(history: History): Laid {
  const runs = [...history.allRuns()].sort((one, other) => one.executionIndex - other.executionIndex);
  const lanes = new Map<string, number>();
  for (const run of runs) if (!lanes.has(run.node)) lanes.set(run.node, lanes.size);
  const last = history.event(history.length)?.at;
  const bars = runs.map((run): Bar => {
    const from = run.startedAt ?? last ?? 0;
    const to = run.durationMs === undefined ? Math.max(from, last ?? from) : from + run.durationMs;
    return { ...run, from, to, lane: lanes.get(run.node) ?? 0 };
  });
  const starts = bars.map((bar) => bar.from);
  const from = Math.min(history.event(1)?.at ?? Number.POSITIVE_INFINITY, ...bounded(starts, Math.min));
  const to = Math.max(
    last ?? 0,
    ...bounded(
      bars.map((bar) => bar.to),
      Math.max,
    ),
  );
  return { bars, byIndex: new Map(bars.map((bar) => [bar.executionIndex, bar])), lanes: [...lanes.keys()], from, to };
}

/** The least or the most of many: a call takes only so many arguments. */
function bounded(values: readonly number[], pick: (...values: number[]) => number): number[] {
  return values.length === 0 ? [] : [values.reduce((best, value) => pick(best, value))];
}
