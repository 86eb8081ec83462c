import { useSyncExternalStore } from "react";

let newest: string | undefined;
const listeners = new Set<() => void>();

/** Takes down where in the log a change of ours is. */
export function wrote(position: string): void {
  if (newest !== undefined && BigInt(position) <= BigInt(newest)) return;
  newest = position;
  for (const listener of listeners) listener();
}

/** Where the newest change of this tab is; give it to reads of the present as `waitFor`, so that they show it. */
export function lastWrite(): string | undefined {
  return newest;
}

/** The same, as a hook: what reads with it reads again after each change. */
export function useLastWrite(): string | undefined {
  return useSyncExternalStore(subscribe, lastWrite);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
