import { useSyncExternalStore } from "react";

/** What was done last, in words: readers say it, and it is shown to those who see. */
export class Announcer {
  private said = "";
  private isOdd = false;
  private readonly listeners = new Set<() => void>();

  readonly get = (): string => this.said;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly say = (text: string): void => {
    // The same words twice would not be said again: a space that nobody hears makes them new.
    this.isOdd = !this.isOdd;
    this.said = this.isOdd ? text : `${text}\u00a0`;
    for (const listener of this.listeners) listener();
  };
}

export function Announcements({ announcer }: { announcer: Announcer }) {
  const said = useSyncExternalStore(announcer.subscribe, announcer.get);
  return (
    <p
      role="status"
      aria-label="What was done"
      className="pointer-events-none absolute top-3 left-3 z-10 max-w-[70%] truncate rounded bg-bg/80 px-1 text-xs text-muted"
    >
      {said}
    </p>
  );
}
