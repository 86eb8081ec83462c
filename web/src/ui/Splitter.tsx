import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from "react";

export interface SplitterProps {
  /** What the line between the two divides, for those who do not see it. */
  label: string;
  first: ReactNode;
  second: ReactNode;
  direction?: "row" | "column";
  /** Share of the first, in percent. */
  initial?: number;
  min?: number;
  max?: number;
  /** Under this name the share is kept in the browser. */
  keepAs?: string;
}

const STEP = 4;

export function Splitter({
  label,
  first,
  second,
  direction = "row",
  initial = 50,
  min = 15,
  max = 85,
  keepAs,
}: SplitterProps) {
  const key = keepAs === undefined ? undefined : `timeloom.split.${keepAs}`;
  const [share, setShare] = useState(() => {
    const kept = Number(key !== undefined && localStorage.getItem(key));
    return kept >= min && kept <= max ? kept : initial;
  });
  const box = useRef<HTMLDivElement>(null);
  const isRow = direction === "row";
  const move = (next: number) => {
    const bounded = Math.round(Math.max(min, Math.min(max, next)) * 10) / 10;
    setShare(bounded);
    if (key !== undefined) localStorage.setItem(key, String(bounded));
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const area = box.current?.getBoundingClientRect();
    if (!area || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    move(isRow ? ((event.clientX - area.left) / area.width) * 100 : ((event.clientY - area.top) / area.height) * 100);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = isRow
      ? { ArrowLeft: -STEP, ArrowRight: STEP }
      : { ArrowUp: -STEP, ArrowDown: STEP };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    move(share + step);
  };
  return (
    <div ref={box} className={`flex min-h-0 min-w-0 flex-1 ${isRow ? "flex-row" : "flex-col"}`}>
      <div className="flex min-h-0 min-w-0 flex-col overflow-hidden" style={{ flexBasis: `${share}%` }}>
        {first}
      </div>
      <div
        role="separator"
        tabIndex={0}
        aria-label={label}
        aria-orientation={isRow ? "vertical" : "horizontal"}
        aria-valuemin={min}
        aria-valuemax={max}
        aria-valuenow={Math.round(share)}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={onPointerMove}
        onDoubleClick={() => move(initial)}
        onKeyDown={onKeyDown}
        className={`shrink-0 touch-none bg-line transition-colors hover:bg-accent focus-visible:bg-accent ${isRow ? "w-1 cursor-col-resize" : "h-1 cursor-row-resize"}`}
      />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col overflow-hidden">{second}</div>
    </div>
  );
}
