import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useCallback, useId, useLayoutEffect, useMemo, useState } from "react";
import { toast, useLastWrite } from "@/api";
import { type Action, useActions } from "@/app/actions";
import { type KeyBinding, useKeys } from "@/app/keys";
import { Splitter, Tabs } from "@/ui";
import { useExecutionChanges } from "./changes";
import { ForkDialog } from "./fork/ForkDialog";
import type { HistoryEvent, HistoryRun } from "./history/history";
import type { ExecutionFacts, Model } from "./history/model";
import { ChangesPanel } from "./panels/ChangesPanel";
import { EventsPanel } from "./panels/EventsPanel";
import { FamilyPanel } from "./panels/FamilyPanel";
import { ItemsPanel } from "./panels/ItemsPanel";
import { Origin } from "./panels/Origin";
import { StatePanel } from "./panels/StatePanel";
import { WatchPanel } from "./panels/WatchPanel";
import { BreakpointDialog } from "./parts/BreakpointDialog";
import { Canvas } from "./parts/Canvas";
import { Header } from "./parts/Header";
import { Notices } from "./parts/Notices";
import { Scrubber } from "./parts/Scrubber";
import { Shown, ShownContext } from "./parts/shown";
import { Timeline } from "./parts/Timeline";
import type { ExecutionSearch, ExecutionTab } from "./search";
import { useDefinition } from "./useDefinition";
import type { ChangeView } from "./view";
import { useIsWide } from "@/ui/wide";

export interface DebuggerProps {
  model: Model;
  facts: ExecutionFacts;
  version: number;
  isLive: boolean;
  view: ExecutionSearch;
  change: ChangeView;
}

/** An execution at a moment: one position, which everything shows. */
export function Debugger({ model, facts, version, isLive, view, change }: DebuggerProps) {
  const { history, id } = model;
  const isWide = useIsWide(900);
  const isOpen = facts.endedAt === null && facts.status !== "CONTINUED";
  const isFollowing = view.position === undefined;
  const revision = revisionOf(model, view.position) || history.length;
  const mark = view.mark === undefined ? 0 : history.revisionAt(Number(view.mark));
  const [stops, setStops] = useState({ now: revision, before: revision });
  if (stops.now !== revision) setStops({ now: revision, before: stops.now });
  const frame = useMemo(() => history.frame(revision), [history, version, revision]); // eslint-disable-line react-hooks/exhaustive-deps
  const [shown] = useState(() => new Shown());
  const before = stops.now === revision ? stops.before : stops.now;
  useLayoutEffect(
    () => shown.show(frame, before === revision ? undefined : history.frame(before)),
    [shown, frame, history, before, revision],
  );
  const { drawn, changed } = useDefinition(facts, model.beginning);
  const breakpoints = useMemo(() => new Set(facts.breakpoints.map(({ node }) => node)), [facts.breakpoints]);
  const changes = useExecutionChanges();
  const [dialog, setDialog] = useState<"fork" | "breakpoint" | undefined>();
  const searchId = useId();
  const navigate = useNavigate();
  const waitFor = useLastWrite();

  const go = useCallback(
    (to: number) => {
      const wanted = Math.max(1, Math.min(history.length, to));
      const event = history.event(wanted) ?? nearestLoaded(model, wanted);
      if (event) change({ position: String(event.position) });
    },
    [history, model, change],
  );
  const choose = useCallback((node: string) => change({ node, run: undefined, tab: "items" }), [change]);
  const goToRun = useCallback(
    (run: HistoryRun) =>
      change({ position: String(run.position), node: run.node, run: run.runIndex > 0 ? run.runIndex : undefined }),
    [change],
  );
  const goToNode = (name: string) => {
    const at = history.next(history.length + 1, -1, (event) => event.node === name);
    change({
      node: name,
      run: undefined,
      tab: "items",
      position: at > 0 ? String(history.event(at)?.position) : view.position,
    });
  };
  const step = (by: 1 | -1, holds: (event: HistoryEvent) => boolean) => {
    const to = history.next(revision, by, holds);
    if (to > 0) go(to);
    return to;
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
  const compare = () =>
    void navigate({
      to: "/compare",
      search: {
        left: facts.forkedFrom?.executionId ?? facts.retryOf ?? id,
        right: facts.forkedFrom || facts.retryOf ? id : undefined,
      },
    });
  const openTab = (tab: ExecutionTab) => change({ tab });
  const breakpointHere = () => {
    if (view.node === undefined)
      toast({ tone: "info", title: "Choose a node first", advice: "Press a node of the workflow, then b." });
    else setDialog("breakpoint");
  };
  const findInPayloads = () => {
    openTab("events");
    requestAnimationFrame(() => document.getElementById(searchId)?.focus());
  };

  const keys: KeyBinding[] = [
    { keys: "j", does: "next event", run: () => go(revision + 1) },
    { keys: "k", does: "event before", run: () => go(revision - 1) },
    { keys: "l", does: "next node run", run: () => stepRun(1) },
    { keys: "h", does: "node run before", run: () => stepRun(-1) },
    { keys: "]", does: "next change of the chosen node", run: () => void step(1, isChangeOf(view.node)) },
    { keys: "[", does: "change of the chosen node before", run: () => void step(-1, isChangeOf(view.node)) },
    { keys: "Home", does: "first event", run: () => go(1) },
    { keys: "End", does: "last event", run: () => go(history.length) },
    { keys: ".", does: "follow what happens", run: () => change({ position: undefined }) },
    { keys: "m", does: "mark this event", run: toggleMark },
    { keys: "d", does: "what changed since the mark", run: () => openTab("changes") },
    { keys: "s", does: "state", run: () => openTab("state") },
    { keys: "i", does: "items of the chosen node", run: () => openTab("items") },
    { keys: "/", does: "search in payloads", run: findInPayloads },
    { keys: "w", does: "watch an expression over past runs", run: () => openTab("watch") },
    { keys: "b", does: "breakpoint before the chosen node", run: breakpointHere },
    { keys: "f", does: "fork from here", run: () => setDialog("fork") },
    { keys: "c", does: "compare", run: compare },
  ];
  useKeys(keys, "Execution");
  useActions(
    [...keys.slice(8)].map(({ keys: press, does, run }): Action => ({
      id: `execution-${press}`,
      label: capital(does),
      run,
    })),
  );

  const event = history.event(revision);
  const chosenAt = view.node === undefined ? undefined : frame.node(view.node);
  const chosenRun =
    view.node === undefined
      ? event && history.run(event.run)
      : history.runOf(view.node, view.run ?? Math.max(0, (chosenAt?.runs ?? 0) - 1));
  const showOrigin = (path: string) => change({ value: path });
  const canvas = (
    <Canvas
      drawn={drawn}
      chosen={view.node}
      breakpoints={breakpoints}
      changed={changed}
      onChoose={choose}
      active={event?.node}
    />
  );
  const timeline = (
    <Timeline history={history} version={version} revision={revision} chosen={chosenRun} onChoose={goToRun} />
  );
  const panels: Record<Exclude<ExecutionTab, "canvas" | "timeline">, [label: string, panel: () => ReactNode]> = {
    events: [
      "Events",
      () => (
        <EventsPanel
          id={id}
          history={history}
          version={version}
          revision={revision}
          view={view}
          change={change}
          onGo={go}
          searchId={searchId}
        />
      ),
    ],
    items: [
      "Items",
      () => (
        <ItemsPanel
          id={id}
          history={history}
          frame={frame}
          node={view.node ?? event?.node}
          run={view.node === undefined ? chosenRun?.runIndex : view.run}
          parameters={drawn?.nodes.find(({ name }) => name === (view.node ?? event?.node))?.parameters}
          onRun={(run) => change({ run, node: view.node ?? event?.node })}
          onValue={showOrigin}
        />
      ),
    ],
    state: [
      "State",
      () => (
        <StatePanel
          id={id}
          history={history}
          revision={revision}
          since={mark || before}
          run={chosenRun}
          onValue={showOrigin}
        />
      ),
    ],
    changes: [
      "Changes",
      () => <ChangesPanel id={id} history={history} revision={revision} mark={mark} onGo={go} onMark={toggleMark} />,
    ],
    watch: [
      "Watch",
      () => (
        <WatchPanel
          id={id}
          workflowId={facts.workflowId}
          drawn={drawn}
          node={view.node}
          expression={view.watch ?? ""}
          onExpression={(watch) => change({ watch: watch === "" ? undefined : watch })}
          onPosition={(position, node, run) =>
            change({ position: String(position), node, run: run > 0 ? run : undefined })
          }
        />
      ),
    ],
    family: ["Forks and retries", () => <FamilyPanel facts={facts} waitFor={waitFor} />],
  };
  const isBeside = view.tab === "canvas" || view.tab === "timeline" || view.tab === undefined;
  const tab: ExecutionTab = isWide && isBeside ? "events" : (view.tab ?? "canvas");
  const column = (content: ReactNode) => <div className="flex h-full min-h-0 flex-col">{content}</div>;
  const tabs = [
    ...(isWide
      ? []
      : [
          { value: "canvas" as const, label: "Canvas", content: tab === "canvas" && column(canvas) },
          { value: "timeline" as const, label: "Timeline", content: tab === "timeline" && column(timeline) },
        ]),
    ...(Object.keys(panels) as (keyof typeof panels)[]).map((value) => ({
      value,
      label: panels[value][0],
      content: tab === value && column(panels[value][1]()),
    })),
  ];
  const right = (
    <Tabs<ExecutionTab> label="Execution" value={tab} onChange={openTab} tabs={tabs} className="flex-1 bg-surface" />
  );
  return (
    <ShownContext value={shown}>
      <Header
        facts={facts}
        isLive={isLive}
        changes={changes}
        onFork={() => setDialog("fork")}
        onCompare={compare}
        onChanged={model.readAgain}
      />
      <Notices facts={facts} onNode={goToNode} onFork={() => setDialog("fork")} />
      <Scrubber
        history={history}
        version={version}
        revision={revision}
        mark={mark}
        isFollowing={isFollowing}
        isOpen={isOpen}
        onGo={go}
        onFollow={() => change({ position: undefined })}
        onMark={toggleMark}
      />
      {isWide ? (
        <Splitter
          label="Workflow and details"
          initial={55}
          keepAs="execution"
          first={
            <Splitter
              label="Workflow and timeline"
              direction="column"
              initial={62}
              keepAs="execution-left"
              first={canvas}
              second={<div className="flex min-h-0 flex-1 flex-col bg-surface">{timeline}</div>}
            />
          }
          second={right}
        />
      ) : (
        <div className="flex min-h-[26rem] flex-1 flex-col">{right}</div>
      )}
      <Origin
        id={id}
        revision={revision}
        path={view.value}
        onClose={() => change({ value: undefined })}
        onGo={(to) => {
          go(to);
          change({ value: undefined });
        }}
        onNode={(node, run) => change({ node, run: run > 0 ? run : undefined, tab: "items", value: undefined })}
      />
      {dialog === "fork" && (
        <ForkDialog
          facts={facts}
          history={history}
          revision={revision}
          drawn={drawn}
          node={view.node}
          run={view.run}
          onClose={() => setDialog(undefined)}
        />
      )}
      {dialog === "breakpoint" && view.node !== undefined && (
        <BreakpointDialog
          facts={facts}
          node={view.node}
          isBusy={changes.isSetting || changes.isStarting}
          onClose={() => setDialog(undefined)}
          onSet={async (list) => {
            const outcome = await changes.setBreakpoints({ input: { executionId: id, breakpoints: list } });
            if (outcome.kind === "done") model.readAgain(outcome.payload.position ?? undefined);
            return outcome.kind === "done";
          }}
          onStart={async (breakpoint) => {
            const { workflowId, workflowVersion } = facts;
            const input = { workflowId, version: workflowVersion, breakpoints: [breakpoint] };
            const outcome = await changes.startAgain({ input });
            if (outcome.kind !== "done") return false;
            const next = outcome.payload.executionId;
            if (next) void navigate({ to: "/executions/$executionId", params: { executionId: next } });
            return true;
          }}
        />
      )}
    </ShownContext>
  );
}

/** The event that an address names; 0 while it is not known. */
function revisionOf(model: Model, position: string | undefined): number {
  return position === undefined ? model.history.length : model.history.revisionAt(Number(position));
}

/** An event near to one that is not read yet. */
function nearestLoaded({ history }: Model, revision: number): HistoryEvent | undefined {
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

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
