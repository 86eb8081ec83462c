// Beside the component, so that the library is loaded where a chart is looked at, and with no page before.
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { LineChartProps } from "./LineChart";

export type Lines = Pick<LineChartProps, "times" | "series" | "format"> & { height: number };

/** Draws numbers over time into an element, as wide as it is, until it is told to stop. */
export function drawLines(element: HTMLElement, lines: Lines): () => void {
  const { times, series, height } = lines;
  const chart = new UPlot(
    { ...optionsOf(lines), width: element.clientWidth },
    [[...times], ...series.map((one) => [...one.values])],
    element,
  );
  const watching = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
  watching.observe(element);
  return () => {
    watching.disconnect();
    chart.destroy();
  };
}

function optionsOf({ times, series, format, height }: Lines): Omit<UPlot.Options, "width"> {
  const colours = getComputedStyle(document.documentElement);
  const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("muted"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    height,
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_, __, most) => [0, Math.max(most, 1e-9) * 1.1] } },
    axes: [
      { ...axis, values: (_, values) => values.map(timeWords(times)) },
      { ...axis, size: 64, values: (_, values) => values.map(format) },
    ],
    series: [
      { value: (_, value: number | null) => (value === null ? "–" : instantWords(value)) },
      ...series.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        fill: line.isBars === true ? colour(`${line.colour}-soft`) : undefined,
        width: 1.5,
        spanGaps: true,
        // A value that stands alone would not be seen as a line.
        points: { show: line.isBars !== true && line.values.filter((value) => value !== null).length < 30, size: 5 },
        paths: line.isBars === true ? UPlot.paths.bars?.({ size: [0.8, 32] }) : undefined,
        value: (_: UPlot, value: number | null) => (value === null ? "–" : format(value)),
      })),
    ],
  };
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
