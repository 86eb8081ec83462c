import { createContext, use, useCallback, useSyncExternalStore } from "react";
import type { Frame, NodeAt } from "../history/history";

export interface ShownNode extends NodeAt {
  /** It is other than at the last stop. */
  isChanged: boolean;
}

const NOTHING: ShownNode = { status: "NONE", run: -1, runs: 0, changed: 0, isChanged: false };

/** The moment that is shown. Each node of the canvas listens for itself, so that a step draws only what it changed. */
export class Shown {
  private frame: Frame | undefined;
  private stop: Frame | undefined;
  private kept = new Map<string, ShownNode>();
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  show(frame: Frame, stop: Frame | undefined): void {
    this.frame = frame;
    this.stop = stop;
    for (const listener of this.listeners) listener();
  }

  node(name: string): ShownNode {
    if (!this.frame) return NOTHING;
    const now = this.frame.node(name);
    const before = this.stop?.node(name);
    const isChanged =
      before !== undefined &&
      (before.status !== now.status || before.run !== now.run || before.changed !== now.changed);
    const had = this.kept.get(name);
    // The same object as long as it says the same: that is what React compares.
    if (
      had?.status === now.status &&
      had.run === now.run &&
      had.runs === now.runs &&
      had.isChanged === isChanged &&
      had.changed === now.changed
    )
      return had;
    const next = { ...now, isChanged };
    this.kept.set(name, next);
    return next;
  }
}

export const ShownContext = createContext<Shown>(new Shown());

export function useShownNode(name: string): ShownNode {
  const shown = use(ShownContext);
  const read = useCallback(() => shown.node(name), [shown, name]);
  return useSyncExternalStore(shown.subscribe, read);
}
