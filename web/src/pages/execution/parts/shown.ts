import { createContext, use, useCallback, useSyncExternalStore } from "react";
import type { Frame, NodeAt } from "../history/history";

export interface ShownNode extends NodeAt {
  /** It is other than at the last stop. */
  isChanged: boolean;
}

const NOTHING: ShownNode = { status: "NONE", run: -1, runs: 0, changed: 0, isChanged: false };

/** What is looked at, apart from how nodes are. */
export interface Moment {
  revision: number;
  /** The node that the event is about. */
  node: string | undefined;
  /** The node run that is looked at, by its place in the order of execution. */
  run: { node: string; executionIndex: number } | undefined;
}

/**
 * The moment that is shown. Each node of the canvas, and what lies on the timeline, listens for itself, so that a step draws
 * only what it changed.
 */
export class Shown {
  private at: Moment = { revision: 0, node: undefined, run: undefined };
  private frame: Frame | undefined;
  private stop: Frame | undefined;
  private kept = new Map<string, ShownNode>();
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  show(frame: Frame, stop: Frame | undefined, at: Moment): void {
    this.frame = frame;
    this.stop = stop;
    this.at = at;
    for (const listener of this.listeners) listener();
  }

  readonly moment = () => this.at;

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

/** The moment, for what follows each step. */
export function useMoment(): Moment {
  const shown = use(ShownContext);
  return useSyncExternalStore(shown.subscribe, shown.moment);
}

/** The node that the event is about. */
export function useActiveNode(): string | undefined {
  const shown = use(ShownContext);
  return useSyncExternalStore(shown.subscribe, () => shown.moment().node);
}

/** Whether the run that is looked at is one of a node. */
export function useIsChosenLane(node: string): boolean {
  const shown = use(ShownContext);
  return useSyncExternalStore(shown.subscribe, () => shown.moment().run?.node === node);
}

export function useShownNode(name: string): ShownNode {
  const shown = use(ShownContext);
  const read = useCallback(() => shown.node(name), [shown, name]);
  return useSyncExternalStore(shown.subscribe, read);
}
