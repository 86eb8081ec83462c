import { useCallback, useId, useLayoutEffect, useMemo, useState } from "react";
import { flushSync } from "react-dom";
import type { KeyBinding } from "@/app/keys";
import type { History, HistoryEvent, HistoryRun } from "./history/history";
import { Shown } from "./parts/shown";
import type { ExecutionSearch, ExecutionTab } from "./search";
import type { ChangeView } from "./view";

/** A history at a moment, and how to go to another one. */
export type Explored = ReturnType<typeof useExplored>;

/** One position of a history, which everything shows. `version` changes with each thing that came to it. */
export function useExplored(history: History, version: number, view: ExecutionSearch, change: ChangeView) {
  const revision = revisionOf(history, view.position) || history.length;
  const mark = view.mark === undefined ? 0 : history.revisionAt(Number(view.mark));
  const [stops, setStops] = useState({ now: revision, before: revision });
  if (stops.now !== revision) setStops({ now: revision, before: stops.now });
  const frame = useMemo(() => history.frame(revision), [history, version, revision]); // eslint-disable-line react-hooks/exhaustive-deps
  const [shown] = useState(() => new Shown());
  const before = stops.now === revision ? stops.before : stops.now;
  const searchId = useId();

  const go = useCallback(
    (to: number) => {
      const wanted = Math.max(1, Math.min(history.length, to));
      const event = history.event(wanted) ?? nearestLoaded(history, wanted);
      if (event) change({ position: String(event.position) });
    },
    [history, change],
  );
  const choose = useCallback((node: string) => change({ node, run: undefined, tab: "items" }), [change]);
  const goToRun = useCallback(
    (run: HistoryRun) =>
      change({ position: String(run.position), node: run.node, run: run.runIndex > 0 ? run.runIndex : undefined }),
    [change],
  );
  const goToNode = useCallback(
    (name: string) => {
      const at = history.next(history.length + 1, -1, (event) => event.node === name);
      const position = at > 0 ? { position: String(history.event(at)?.position) } : {};
      change({ node: name, run: undefined, tab: "items", ...position });
    },
    [history, change],
  );
  const step = (by: 1 | -1, holds: (event: HistoryEvent) => boolean) => {
    const to = history.next(revision, by, holds);
    if (to > 0) go(to);
  };
  const stepRun = (by: 1 | -1) => {
    const to = history.next(revision, by, (event) => event.type === "NodeCompleted" || event.type === "NodeFailed");
    const run = to > 0 ? history.run(history.event(to)?.run ?? -1) : undefined;
    if (run) change({ position: String(history.event(to)?.position), node: run.node, run: run.runIndex || undefined });
  };
  const toggleMark = () => {
    const position = history.event(revision)?.position;
    change({ mark: mark === revision || position === undefined ? undefined : String(position) });
  };
  const openTab = (tab: ExecutionTab) => change({ tab });
  const findInPayloads = () => {
    // What is pressed next belongs into the field already.
    flushSync(() => openTab("events"));
    document.getElementById(searchId)?.focus();
  };
  const keys: KeyBinding[] = [
    { keys: "j", does: "next event", run: () => go(revision + 1) },
    { keys: "k", does: "event before", run: () => go(revision - 1) },
    { keys: "l", does: "next node run", run: () => stepRun(1) },
    { keys: "h", does: "node run before", run: () => stepRun(-1) },
    { keys: "]", does: "next change of the chosen node", run: () => step(1, isChangeOf(view.node)) },
    { keys: "[", does: "change of the chosen node before", run: () => step(-1, isChangeOf(view.node)) },
    { keys: "Home", does: "first event", run: () => go(1) },
    { keys: "End", does: "last event", run: () => go(history.length) },
    { keys: ".", does: "follow what happens", run: () => change({ position: undefined }) },
    { keys: "m", does: "mark this event", run: toggleMark },
    { keys: "d", does: "what changed since the mark", run: () => openTab("changes") },
    { keys: "s", does: "state", run: () => openTab("state") },
    { keys: "i", does: "items of the chosen node", run: () => openTab("items") },
    { keys: "/", does: "search in payloads", run: findInPayloads },
  ];

  const event = history.event(revision);
  const chosenAt = view.node === undefined ? undefined : frame.node(view.node);
  const chosenRun =
    view.node === undefined
      ? event && history.run(event.run)
      : history.runOf(view.node, view.run ?? Math.max(0, (chosenAt?.runs ?? 0) - 1));
  useLayoutEffect(
    () =>
      shown.show(frame, before === revision ? undefined : history.frame(before), {
        revision,
        node: event?.node,
        run: chosenRun,
      }),
    [shown, frame, history, before, revision, event, chosenRun],
  );
  return {
    history,
    version,
    view,
    change,
    revision,
    mark,
    before,
    frame,
    shown,
    event,
    chosenRun,
    searchId,
    keys,
    go,
    choose,
    goToRun,
    goToNode,
    toggleMark,
    openTab,
  };
}

/** The event that an address names; 0 while it is not known. */
function revisionOf(history: History, position: string | undefined): number {
  return position === undefined ? history.length : history.revisionAt(Number(position));
}

/** An event near to one that is not read yet. */
function nearestLoaded(history: History, revision: number): HistoryEvent | undefined {
  const before = history.next(revision, -1, () => true);
  const after = history.next(revision, 1, () => true);
  if (before === 0) return history.event(after);
  return history.event(after > 0 && after - revision < revision - before ? after : before);
}

/** Events that changed a node; without one, those that changed how the execution goes on. */
function isChangeOf(node: string | undefined): (event: HistoryEvent) => boolean {
  return (event) =>
    node === undefined ? event.type.startsWith("Execution") || event.type === "NodeFailed" : event.node === node;
}
