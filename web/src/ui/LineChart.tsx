import { useEffect, useRef, useState } from "react";
import { useTheme } from "../app/theme";
import { Skeleton } from "./States";

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

/** What the legend below a chart takes, so that nothing moves when the chart comes. */
const LEGEND_PX = 30;

/** Numbers over time. */
export function LineChart({ label, times, series, format, height = 160 }: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const { shown } = useTheme();
  const [state, setState] = useState<"coming" | "drawn" | "failed">("coming");
  const key = JSON.stringify([times, series]);
  const latest = useRef({ times, series, format });
  useEffect(() => {
    latest.current = { times, series, format };
  });
  useEffect(() => {
    let isGone = false;
    let stop: (() => void) | undefined;
    import("./line-drawing").then(
      ({ drawLines }) => {
        if (isGone || !box.current) return;
        stop = drawLines(box.current, { ...latest.current, height });
        setState("drawn");
      },
      () => {
        if (!isGone) setState("failed");
      },
    );
    return () => {
      isGone = true;
      stop?.();
    };
  }, [key, height, shown]);
  return (
    <div className="relative" style={{ minHeight: `${height + LEGEND_PX}px` }}>
      <div
        ref={box}
        role="img"
        aria-label={label}
        className="w-full overflow-hidden [&_.u-legend]:text-xs! [&_.u-legend_th]:font-normal!"
      />
      {state === "coming" && <Skeleton className="absolute inset-0 h-full" />}
      {state === "failed" && (
        <p role="alert" className="absolute inset-0 grid place-items-center text-center text-[13px] text-muted">
          The chart could not be loaded. Reload the page to see it.
        </p>
      )}
    </div>
  );
}
