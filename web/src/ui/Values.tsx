import { Link } from "@tanstack/react-router";
import { useSyncExternalStore } from "react";
import { ago, bytes, duration, instant, money } from "./formats";

/** How long the clock that is shown stands still. */
const TICK_MS = 5_000;

// One clock for all times that are shown, so that a list of thousands costs one timer.
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const one of listeners) one();
    }, TICK_MS);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The present, as it is shown; it moves every few seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export interface TimeProps {
  value: string | null | undefined;
  /** Says the exact instant, and how long ago as a hint, in place of the other way round. */
  exact?: boolean;
}

export function Time({ value, exact }: TimeProps) {
  const present = useNow();
  if (value === null || value === undefined) return <span className="text-muted">–</span>;
  const at = Date.parse(value);
  // What happened since the clock moved is now, and not to come.
  const since = ago(value, at > present && at <= present + TICK_MS ? at : present);
  const [shown, hint] = exact === true ? [instant(value), since] : [since, instant(value)];
  return (
    <time dateTime={value} title={hint} className="whitespace-nowrap tabular-nums">
      {shown}
    </time>
  );
}

/** How long something took, from its beginning to its end, or until now. */
export function Elapsed({ from, to }: { from: string | null | undefined; to?: string | null }) {
  const present = useNow();
  if (from === null || from === undefined) return <span className="text-muted">–</span>;
  const end = to === null || to === undefined ? Math.max(present, Date.parse(from)) : Date.parse(to);
  return <Duration milliseconds={end - Date.parse(from)} />;
}

export function Duration({ milliseconds }: { milliseconds: number }) {
  return (
    <span title={`${milliseconds} ms`} className="whitespace-nowrap tabular-nums">
      {duration(milliseconds)}
    </span>
  );
}

export function Bytes({ value }: { value: number }) {
  return (
    <span title={`${value} bytes`} className="whitespace-nowrap tabular-nums">
      {bytes(value)}
    </span>
  );
}

export function Money({
  amount,
  currency,
}: {
  amount: string | null | undefined;
  currency: string | null | undefined;
}) {
  if (amount === null || amount === undefined) return <span className="text-muted">–</span>;
  return (
    <span title={`${amount} ${currency ?? ""}`} className="whitespace-nowrap tabular-nums">
      {money(amount, currency ?? "USD")}
    </span>
  );
}

/** A place in the log; leads to the events around it. */
export function PositionLink({ position }: { position: string }) {
  return (
    <Link
      to="/events"
      search={{ position }}
      className="font-mono text-[13px] text-accent hover:underline"
      title="The event here"
    >
      #{position}
    </Link>
  );
}
