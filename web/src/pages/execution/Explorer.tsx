import type { ReactNode } from "react";
import { Splitter, Tabs } from "@/ui";
import { useIsWide } from "@/ui/wide";
import type { Drawn } from "./definition";
import type { Explored } from "./explore";
import { ChangesPanel } from "./panels/ChangesPanel";
import { EventsPanel } from "./panels/EventsPanel";
import { ItemsPanel } from "./panels/ItemsPanel";
import { StatePanel } from "./panels/StatePanel";
import { Canvas } from "./parts/Canvas";
import { Scrubber } from "./parts/Scrubber";
import { Timeline } from "./parts/Timeline";
import { ShownContext } from "./parts/shown";
import type { ExecutionTab } from "./search";

/** A tab beside those that every history has. */
export interface Panel {
  value: ExecutionTab;
  label: string;
  content: () => ReactNode;
}

export interface ExplorerProps {
  /** The execution. */
  id: string;
  explored: Explored;
  drawn: Drawn | undefined;
  /** Nodes of which a fork changed something. */
  changed: ReadonlySet<string>;
  breakpoints: ReadonlySet<string>;
  /** More may happen to it. */
  isOpen: boolean;
  /** What is above the scrubber. */
  head: ReactNode;
  panels: readonly Panel[];
  /** Tells from where a value in the state comes; absent where nobody knows. */
  onValue?: (path: string) => void;
}

/** A history at a moment: the scrubber, the workflow, the timeline, and what there is to tell of the moment. */
export function Explorer(props: ExplorerProps) {
  const { id, explored, drawn, changed, breakpoints, isOpen, head, onValue } = props;
  const { history, version, view, change, revision, mark, frame, event, chosenRun, go, toggleMark, openTab } = explored;
  const isWide = useIsWide(900);
  const node = view.node ?? event?.node;
  const own: Panel[] = [
    {
      value: "events",
      label: "Events",
      content: () => (
        <EventsPanel
          history={history}
          version={version}
          revision={revision}
          view={view}
          change={change}
          onGo={go}
          searchId={explored.searchId}
        />
      ),
    },
    {
      value: "items",
      label: "Items",
      content: () => (
        <ItemsPanel
          id={id}
          history={history}
          frame={frame}
          node={node}
          run={view.node === undefined ? chosenRun?.runIndex : view.run}
          parameters={drawn?.nodes.find(({ name }) => name === node)?.parameters}
          onRun={(run) => change({ run, node })}
          onValue={onValue}
        />
      ),
    },
    {
      value: "state",
      label: "State",
      content: () => (
        <StatePanel
          id={id}
          history={history}
          revision={revision}
          since={mark || explored.before}
          run={chosenRun}
          onValue={onValue}
        />
      ),
    },
    {
      value: "changes",
      label: "Changes",
      content: () => <ChangesPanel history={history} revision={revision} mark={mark} onGo={go} onMark={toggleMark} />,
    },
  ];
  const canvas = (
    <Canvas drawn={drawn} chosen={view.node} breakpoints={breakpoints} changed={changed} onChoose={explored.choose} />
  );
  const timeline = <Timeline history={history} version={version} onChoose={explored.goToRun} />;
  const beside: Panel[] = [
    { value: "canvas", label: "Canvas", content: () => canvas },
    { value: "timeline", label: "Timeline", content: () => timeline },
  ];
  const panels = [...(isWide ? [] : beside), ...own, ...props.panels];
  const first = isWide ? "events" : "canvas";
  const tab = panels.some(({ value }) => value === view.tab) ? (view.tab ?? first) : first;
  const right = (
    <Tabs<ExecutionTab>
      label="Execution"
      value={tab}
      onChange={openTab}
      tabs={panels.map(({ value, label, content }) => ({
        value,
        label,
        content: tab === value && <div className="flex h-full min-h-0 flex-col">{content()}</div>,
      }))}
      className="flex-1 bg-surface"
    />
  );
  return (
    <ShownContext value={explored.shown}>
      {head}
      <Scrubber
        history={history}
        version={version}
        revision={revision}
        mark={mark}
        isFollowing={view.position === undefined}
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
    </ShownContext>
  );
}
