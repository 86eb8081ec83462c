import { useEffect, useRef } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "../app/theme";

export interface Series {
  label: string;
  /** A number a time; `null` where there is none. */
  values: readonly (number | null)[];
  colour: "accent" | "good" | "warn" | "info";
  isBars?: boolean;
}

export interface LineChartProps {
  /** What it shows, for those who do not see it. The numbers should stand somewhere as text as well. */
  label: string;
  /** Seconds since 1970. */
  times: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  height?: number;
}

/** Numbers over time. */
export function LineChart({ label, times, series, format, height = 160 }: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const { shown } = useTheme();
  const key = JSON.stringify([times, series]);
  const latest = useRef({ times, series, format });
  useEffect(() => {
    latest.current = { times, series, format };
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const { times: at, series: lines, format: words } = latest.current;
    const colours = getComputedStyle(document.documentElement);
    const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui",
    };
    const options: UPlot.Options = {
      width: element.clientWidth,
      height,
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { y: { range: (_, __, most) => [0, Math.max(most, 1e-9) * 1.1] } },
      axes: [
        { ...axis, values: (_, values) => values.map(timeWords(at)) },
        { ...axis, size: 64, values: (_, values) => values.map(words) },
      ],
      series: [
        { value: (_, value: number | null) => (value === null ? "–" : instantWords(value)) },
        ...lines.map((line) => ({
          label: line.label,
          stroke: colour(line.colour),
          fill: line.isBars === true ? colour(`${line.colour}-soft`) : undefined,
          width: 1.5,
          spanGaps: true,
          // A value that stands alone would not be seen as a line.
          points: { show: line.isBars !== true && line.values.filter((value) => value !== null).length < 30, size: 5 },
          paths: line.isBars === true ? UPlot.paths.bars?.({ size: [0.8, 32] }) : undefined,
          value: (_: UPlot, value: number | null) => (value === null ? "–" : words(value)),
        })),
      ],
    };
    const chart = new UPlot(options, [[...at], ...lines.map((line) => [...line.values])], element);
    const watching = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    watching.observe(element);
    return () => {
      watching.disconnect();
      chart.destroy();
    };
  }, [key, height, shown]);
  return (
    <div
      ref={box}
      role="img"
      aria-label={label}
      className="w-full overflow-hidden [&_.u-legend]:text-xs! [&_.u-legend_th]:font-normal!"
    />
  );
}

const HOURS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAYS = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const TWO_DAYS_S = 2 * 86_400;

const instantWords = (seconds: number) =>
  `${DAYS.format(new Date(seconds * 1000))}, ${HOURS.format(new Date(seconds * 1000))}`;

/** How times are written below the chart: as hours, or as days where it shows more than two. */
function timeWords(times: readonly number[]): (seconds: number) => string {
  const isLong = (times.at(-1) ?? 0) - (times[0] ?? 0) > TWO_DAYS_S;
  return (seconds) => (isLong ? DAYS : HOURS).format(new Date(seconds * 1000));
}
