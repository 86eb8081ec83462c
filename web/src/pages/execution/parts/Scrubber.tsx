import { memo, useEffect, useRef } from "react";
import { Badge, Button, Icon, IconButton, Kbd, Progress, classes, duration } from "@/ui";
import { eventText, toneOfEvent, wordsOfEvent } from "../event-names";
import type { History } from "../history/history";
import { useThemeVersion } from "./theme-version";

export interface ScrubberProps {
  history: History;
  version: number;
  revision: number;
  mark: number;
  isFollowing: boolean;
  isOpen: boolean;
  onGo: (revision: number) => void;
  onFollow: () => void;
  onMark: () => void;
}

/** One position that everything else shows. */
export function Scrubber(props: ScrubberProps) {
  const { history, version, revision, mark, isFollowing, isOpen, onGo, onFollow, onMark } = props;
  const event = history.event(revision);
  const last = history.length;
  const began = history.event(1)?.at;
  const after = event && began !== undefined ? duration(Math.max(0, event.at - began)) : undefined;
  const share = (place: number) => (last <= 1 ? 0 : ((place - 1) / (last - 1)) * 100);
  return (
    <section aria-label="Position" className="border-b bg-surface px-3 pt-2 pb-2 md:px-4">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <div className="flex">
          <IconButton
            size="small"
            label="First event (Home)"
            icon={<Icon name="right" className="rotate-180" />}
            onClick={() => onGo(1)}
            disabled={revision <= 1}
          />
          <Button size="small" kind="quiet" onClick={() => onGo(revision - 1)} disabled={revision <= 1}>
            Back
          </Button>
          <Button size="small" kind="quiet" onClick={() => onGo(revision + 1)} disabled={revision >= last}>
            Forward
          </Button>
        </div>
        <p
          className="order-last flex min-w-0 flex-1 basis-full items-center md:order-none md:basis-64 gap-2 text-[13px]"
          aria-live="off"
        >
          <span className="shrink-0 font-medium tabular-nums">
            {revision.toLocaleString()} <span className="font-normal text-muted">of {last.toLocaleString()}</span>
          </span>
          {event && <Badge tone={toneOfEvent(event.type)}>{wordsOfEvent(event.type)}</Badge>}
          {event?.node !== undefined && <span className="truncate font-medium">{event.node}</span>}
          {after !== undefined && <span className="shrink-0 text-xs text-muted tabular-nums">+{after}</span>}
          {event && <span className="hidden font-mono text-xs text-muted lg:inline">#{event.position}</span>}
        </p>
        <div className="ml-auto flex items-center gap-1">
          {mark > 0 && <span className="text-xs text-muted tabular-nums">marked: {mark.toLocaleString()}</span>}
          <Button size="small" kind="quiet" onClick={onMark}>
            {mark === revision ? "Unmark" : "Mark"} <Kbd keys="m" />
          </Button>
          <Button size="small" kind={isFollowing ? "primary" : "plain"} onClick={onFollow} aria-pressed={isFollowing}>
            {isOpen && (
              <span
                aria-hidden
                className={classes("size-1.5 rounded-full bg-current", isFollowing && "animate-pulse")}
              />
            )}
            {isOpen ? "Follow" : "Newest"}
          </Button>
        </div>
      </div>
      <div className="relative mt-1.5 h-7">
        <Strip history={history} version={version} />
        {mark > 0 && (
          <span
            aria-hidden
            className="absolute top-0 bottom-1 w-0.5 rounded bg-warn"
            style={{ left: `calc(8px + (100% - 16px) * ${share(mark) / 100})` }}
          />
        )}
        <input
          type="range"
          aria-label="Event"
          aria-valuetext={`Event ${revision} of ${last}: ${eventText(event)}`}
          min={1}
          max={Math.max(1, last)}
          value={Math.max(1, revision)}
          onChange={(change) => onGo(Number(change.target.value))}
          className={SLIDER}
        />
      </div>
      {!history.isComplete && (
        <div className="flex items-center gap-2 pt-1 text-xs text-muted">
          <span className="whitespace-nowrap tabular-nums">
            Reading history: {history.loadedCount.toLocaleString()} of {last.toLocaleString()}
          </span>
          <Progress label="Reading history" value={history.loadedCount} max={last} />
        </div>
      )}
    </section>
  );
}

/** The browser's slider, with a thin line in place of its bar, so that what lies on it can be seen. */
const SLIDER = [
  "absolute inset-x-0 bottom-0 h-4 w-full cursor-pointer appearance-none bg-transparent",
  "[&::-webkit-slider-runnable-track]:h-1 [&::-webkit-slider-runnable-track]:rounded-full [&::-webkit-slider-runnable-track]:bg-line",
  "[&::-webkit-slider-thumb]:-mt-1.5 [&::-webkit-slider-thumb]:size-4 [&::-webkit-slider-thumb]:appearance-none",
  "[&::-webkit-slider-thumb]:rounded-full [&::-webkit-slider-thumb]:border-2 [&::-webkit-slider-thumb]:border-surface [&::-webkit-slider-thumb]:bg-accent",
  "[&::-moz-range-track]:h-1 [&::-moz-range-track]:rounded-full [&::-moz-range-track]:bg-line",
  "[&::-moz-range-thumb]:size-3.5 [&::-moz-range-thumb]:rounded-full [&::-moz-range-thumb]:border-2 [&::-moz-range-thumb]:border-surface [&::-moz-range-thumb]:bg-accent",
].join(" ");

const COLOURS: Record<string, [name: string, height: number]> = {
  bad: ["--bad", 1],
  warn: ["--warn", 0.8],
  accent: ["--accent", 0.8],
  info: ["--info", 0.5],
  good: ["--good", 0.4],
  neutral: ["--line-strong", 0.3],
};
const RANK = ["neutral", "good", "info", "accent", "warn", "bad"];

/** What kinds of events lie where; of many in one place the worst. */
const Strip = memo(function Strip({ history, version }: { history: History; version: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useThemeVersion();
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const width = element.clientWidth;
    const height = element.clientHeight;
    const scale = devicePixelRatio;
    element.width = width * scale;
    element.height = height * scale;
    context.scale(scale, scale);
    const styles = getComputedStyle(element);
    const count = history.length;
    const worst = new Map<number, number>();
    for (let revision = 1; revision <= count; revision += 1) {
      const event = history.event(revision);
      if (!event) continue;
      const x = count <= 1 ? 8 : Math.round(8 + ((width - 16) * (revision - 1)) / (count - 1));
      const rank = RANK.indexOf(toneOfEvent(event.type));
      if (rank > (worst.get(x) ?? -1)) worst.set(x, rank);
    }
    for (const [x, rank] of worst) {
      const [colour, share] = COLOURS[RANK[rank] ?? "neutral"] ?? ["--line", 0.3];
      context.fillStyle = styles.getPropertyValue(colour);
      context.globalAlpha = 0.7;
      context.fillRect(x - 0.5, height * (1 - share), Math.max(1, Math.min(2, width / count)), height * share);
    }
  }, [history, version, theme]);
  return <canvas ref={canvas} aria-hidden className="absolute inset-x-0 bottom-3 h-4 w-full" />;
});
