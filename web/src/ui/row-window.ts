import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";

/** Rows outside of the box that are drawn as well, so that it can be scrolled a little before new ones are needed. */
const BEYOND = 4;
/** Taken for the height of the box until the browser told it, in pixels. */
const HEIGHT_AT_FIRST = 400;

export interface DrawnRow {
  index: number;
  /** Where it lies, in pixels. */
  top: number;
  /** The element that shows it: those of rows that went out of sight are taken for others. */
  slot: number;
}

interface Stand {
  /** Where the box stands, in pixels. */
  top: number;
  /** The row that was brought into sight last. */
  index: number;
  /** Whether the box has to go there, or came from there by itself. */
  moves: boolean;
}

/**
 * Which of many rows of one height are drawn in a box that scrolls. The row at `index` is brought into sight when it becomes
 * another one: in the same drawing, so that a jump anywhere takes one layout.
 */
export function useRowWindow(
  box: RefObject<HTMLElement | null>,
  { count, rowHeight, index }: { count: number; rowHeight: number; index: number },
) {
  const [height, setHeight] = useState(HEIGHT_AT_FIRST);
  const rows = { count, rowHeight };
  const [stand, setStand] = useState<Stand>(() => ({ top: inSight(0, height, rows, index), index, moves: true }));
  if (stand.index !== index) {
    const top = inSight(stand.top, height, rows, index);
    setStand({ top, index, moves: top !== stand.top });
  }
  // Where the box is about to go.
  const goal = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (!stand.moves) return;
    const isUnderWay = goal.current !== undefined;
    goal.current = stand.top;
    if (isUnderWay) return;
    // Scrolling takes a layout. In the next frame all is there that a step changes, so that one is enough.
    requestAnimationFrame(() => {
      box.current?.scrollTo(0, goal.current ?? 0);
      goal.current = undefined;
    });
  }, [box, stand]);
  useHeight(box, (next) => {
    setHeight(next);
    setStand((before) => {
      const wasInSight = inSight(before.top, height, rows, before.index) === before.top;
      const top = wasInSight ? inSight(before.top, next, rows, before.index) : before.top;
      return top === before.top ? before : { ...before, top, moves: true };
    });
  });
  const onScroll = () => {
    if (goal.current !== undefined) return;
    const top = box.current?.scrollTop ?? 0;
    if (top !== stand.top) setStand({ ...stand, top, moves: false });
  };
  return { onScroll, rows: rowsAt(stand.top, height, rowHeight, count) };
}

/**
 * Where a box has to stand so that a row is in sight; where it stands if it is. One that is not comes to the middle: what is
 * around it is seen as well, and the steps after it move nothing.
 */
export function inSight(
  top: number,
  height: number,
  { count, rowHeight }: { count: number; rowHeight: number },
  index: number,
): number {
  const place = index * rowHeight;
  if (index < 0 || (place >= top && place + rowHeight <= top + height)) return top;
  const middle = Math.round(place - (height - rowHeight) / 2);
  return Math.max(0, Math.min(middle, Math.floor(count * rowHeight - height)));
}

/** The rows that are drawn while a box stands somewhere. */
export function rowsAt(top: number, height: number, rowHeight: number, count: number): DrawnRow[] {
  const slots = Math.ceil(height / rowHeight) + 1 + 2 * BEYOND;
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight) - BEYOND, count - slots));
  return Array.from({ length: Math.min(slots, count - first) }, (_, place) => {
    const index = first + place;
    return { index, top: index * rowHeight, slot: index % slots };
  });
}

function useHeight(box: RefObject<HTMLElement | null>, told: (height: number) => void): void {
  const latest = useRef(told);
  useEffect(() => {
    latest.current = told;
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.height > 0) latest.current(entry.contentRect.height);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
}
