import { isRecord } from "@/parts/records";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ItemsView } from "@/parts/items/ItemsView";
import { type Shape, ShapeSelect } from "@/parts/items/ShapeSelect";
import { Badge, Button, EmptyState, ErrorState, JsonView, Skeleton, duration } from "@/ui";
import { NODE_TONES, NODE_WORDS } from "../event-names";
import { useExact } from "../exact";
import type { Frame, History, NodeStatus } from "../history/history";
import { useSource } from "../source";
import { type RunPlace, type Source, ownPlace, sourcesOf, usePlace } from "./locate";

export interface ItemsPanelProps {
  id: string;
  history: History;
  frame: Frame;
  node: string | undefined;
  run: number | undefined;
  parameters: unknown;
  onRun: (run: number | undefined) => void;
  /** Absent where nobody knows from where values come. */
  onValue: ((path: string) => void) | undefined;
}

/** What a run of a node was given, and what it gave. */
export function ItemsPanel(props: ItemsPanelProps) {
  const { node } = props;
  if (node === undefined)
    return (
      <EmptyState icon="workflow" title="Choose a node">
        Press a node of the workflow, or go from run to run with <kbd>h</kbd> and <kbd>l</kbd>: here is what it was
        given and what it gave.
      </EmptyState>
    );
  return <NodeItems {...props} key={node} node={node} />;
}

function NodeItems(props: ItemsPanelProps & { node: string }) {
  const { id, history, frame, node, run, parameters, onRun, onValue } = props;
  const [side, setSide] = useState<"in" | "out" | "node">("out");
  const [shape, setShape] = useState<Shape>("table");
  const at = frame.node(node);
  const runIndex = run ?? Math.max(0, at.runs - 1);
  const known = history.runOf(node, runIndex);
  // What is told of a run does not change between its events: asked for once, it is there for all moments between.
  const touched =
    known && history.next(frame.revision + 1, -1, (event) => event.run === known.executionIndex && event.node === node);
  const isReached = known === undefined ? at.status === "EARLIER" : touched !== 0;
  const own = touched ? ownPlace(id, history, node, runIndex, touched) : undefined;
  const source = useSource();
  const place = usePlace(own, isReached && !own ? node : undefined, runIndex);
  const asked = place === undefined || place === "nowhere" ? undefined : place;
  const { data: state, fault, isStale } = useExact(asked && source.part(asked));
  const facts = isRecord(state) && asked ? state : undefined;
  const status = typeof facts?.status === "string" ? (facts.status.toUpperCase() as NodeStatus) : undefined;
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
        <h2 className="min-w-0 truncate text-sm font-semibold">{node}</h2>
        {status && <Badge tone={NODE_TONES[status]}>{NODE_WORDS[status]}</Badge>}
        {facts?.pinned === true && <Badge tone="accent">pinned items</Badge>}
        {facts?.stubbed === true && <Badge tone="accent">answered from the record</Badge>}
        {typeof facts?.attempts === "number" && facts.attempts > 1 && (
          <Badge tone="warn">{facts.attempts} attempts</Badge>
        )}
        {typeof facts?.duration_us === "number" && (
          <span className="text-xs text-muted tabular-nums">{duration(facts.duration_us / 1000)}</span>
        )}
        {asked && asked.executionId !== id && <Before place={asked} node={node} run={runIndex} />}
        <RunPicker
          runs={Math.max(at.runs, runIndex + 1)}
          value={runIndex}
          isNewest={run === undefined}
          onChange={onRun}
        />
      </div>
      <div className="flex flex-wrap items-center gap-1 border-b px-3 py-1.5">
        {(["in", "out", "node"] as const).map((one) => (
          <Button
            key={one}
            size="small"
            kind={side === one ? "primary" : "quiet"}
            aria-pressed={side === one}
            onClick={() => setSide(one)}
          >
            {{ in: "Given", out: "Gave", node: "Parameters" }[one]}
          </Button>
        ))}
        {side !== "node" && (
          <div className="ml-auto">
            <ShapeSelect value={shape} onChange={setShape} />
          </div>
        )}
      </div>
      <div className={`flex min-h-0 flex-1 flex-col overflow-auto ${isStale ? "opacity-60" : ""}`} aria-busy={isStale}>
        {side === "node" ? (
          <JsonView label="Parameters" value={parameters} depth={3} className="flex-1" />
        ) : fault ? (
          <ErrorState fault={fault} />
        ) : !isReached ? (
          <EmptyState icon="clock" title="Not reached yet">
            At this moment the run had not begun. Go on with <kbd>l</kbd> or <kbd>]</kbd>.
          </EmptyState>
        ) : place === "nowhere" ? (
          <EmptyState title="This run is not kept here">
            It ran in an execution that is gone, or that you may not see.
          </EmptyState>
        ) : !facts || !asked ? (
          <Skeleton className="m-4 h-24" />
        ) : side === "out" ? (
          <Output place={asked} facts={facts} node={node} runIndex={runIndex} shape={shape} onValue={onValue} id={id} />
        ) : (
          <Inputs id={id} history={history} facts={facts} revision={frame.revision} shape={shape} onValue={onValue} />
        )}
      </div>
    </div>
  );
}

/** Says that a run happened in an execution from which this one goes on. */
function Before({ place, node, run }: { place: RunPlace; node: string; run: number }) {
  const { hasLog } = useSource();
  if (!hasLog) return <span className="text-xs text-muted">from the execution before</span>;
  return (
    <Link
      to="/executions/$executionId"
      params={{ executionId: place.executionId }}
      search={{ node, run, tab: "items" }}
      className="text-xs text-accent hover:underline"
    >
      from the execution before
    </Link>
  );
}

interface RunPickerProps {
  runs: number;
  value: number;
  isNewest: boolean;
  onChange: (run: number | undefined) => void;
}

function RunPicker({ runs, value, isNewest, onChange }: RunPickerProps) {
  if (runs <= 1) return null;
  return (
    <div className="ml-auto flex items-center gap-1 text-xs text-muted">
      <Button
        size="small"
        kind="quiet"
        aria-label="Run before"
        disabled={value <= 0}
        onClick={() => onChange(value - 1)}
      >
        ←
      </Button>
      <span className="tabular-nums">
        run {value + 1} of {runs}
      </span>
      <Button
        size="small"
        kind="quiet"
        aria-label="Next run"
        disabled={value + 1 >= runs}
        onClick={() => onChange(value + 1)}
      >
        →
      </Button>
      <Button size="small" kind="quiet" disabled={isNewest} onClick={() => onChange(undefined)}>
        Newest
      </Button>
    </div>
  );
}

interface OutputProps {
  id: string;
  place: RunPlace;
  facts: Record<string, unknown>;
  node: string;
  runIndex: number;
  shape: Shape;
  onValue: ((path: string) => void) | undefined;
}

function Output({ id, place, facts, node, runIndex, shape, onValue }: OutputProps) {
  const { fileOf } = useSource();
  const [output, setOutput] = useState(0);
  const outputs = Array.isArray(facts.outputs) ? (facts.outputs as unknown[]) : undefined;
  const items = outputs?.[output];
  return (
    <>
      {facts.error !== null && facts.error !== undefined && (
        <div className="border-b bg-bad-soft px-3 py-2">
          <JsonView label="Error" value={facts.error} depth={2} hideTools />
        </div>
      )}
      {outputs === undefined ? (
        <EmptyState icon="clock" title="It gave nothing by then">
          The run had not ended at this moment, or it failed.
        </EmptyState>
      ) : (
        <>
          {outputs.length > 1 && (
            <div className="flex flex-wrap gap-1 border-b px-3 py-1.5" role="group" aria-label="Outputs">
              {outputs.map((list, place) => (
                <Button
                  // Outputs have no other name than their place.
                  key={String(place)}
                  size="small"
                  kind={place === output ? "plain" : "quiet"}
                  aria-pressed={place === output}
                  onClick={() => setOutput(place)}
                >
                  Output {place + 1} · {Array.isArray(list) ? list.length : 0}
                </Button>
              ))}
            </div>
          )}
          <ItemsView
            label={`Items of ${node}`}
            items={Array.isArray(items) ? (items as unknown[]) : []}
            shape={shape}
            attachmentsOf={{ executionId: place.executionId, node, run: runIndex, output, fileOf }}
            onPath={
              onValue && place.executionId === id
                ? (path) => onValue(`${place.path}/outputs/${output}${path}`)
                : undefined
            }
          />
        </>
      )}
    </>
  );
}

interface InputsProps {
  id: string;
  history: History;
  facts: Record<string, unknown>;
  revision: number;
  shape: Shape;
  onValue: ((path: string) => void) | undefined;
}

function Inputs({ id, history, facts, revision, shape, onValue }: InputsProps) {
  const sources = sourcesOf(facts);
  const [input, setInput] = useState(0);
  const source = sources[Math.min(input, sources.length - 1)];
  if (sources.length === 0)
    return (
      <EmptyState icon="play" title="It began the execution">
        The first node is given what started the execution: look at <code>/start/items</code> in the state.
      </EmptyState>
    );
  return (
    <>
      <div className="flex flex-wrap items-center gap-1 border-b px-3 py-1.5 text-xs text-muted">
        {sources.map((one, place) => (
          <Button
            // Inputs have no other name than their place.
            key={String(place)}
            size="small"
            kind={place === input ? "plain" : "quiet"}
            aria-pressed={place === input}
            onClick={() => setInput(place)}
          >
            {sources.length > 1 && `Input ${place + 1} · `}
            {one === undefined ? "nothing" : `from ${one.node}${one.output > 0 ? ` (output ${one.output + 1})` : ""}`}
          </Button>
        ))}
      </div>
      {source === undefined ? (
        <EmptyState title="Nothing came to this input">The node ran without data here.</EmptyState>
      ) : (
        <Input
          key={`${source.node} ${source.runIndex} ${source.output}`}
          id={id}
          history={history}
          source={source}
          revision={revision}
          shape={shape}
          onValue={onValue}
        />
      )}
    </>
  );
}

interface InputProps extends Omit<InputsProps, "facts"> {
  source: Source;
}

function Input({ id, history, source, revision, shape, onValue }: InputProps) {
  const known = history.runOf(source.node, source.runIndex);
  const ended = known ? history.revisionAt(known.position) : revision;
  const own = ownPlace(id, history, source.node, source.runIndex, Math.max(1, Math.min(ended, history.length)));
  const { part, fileOf } = useSource();
  const place = usePlace(own, source.node, source.runIndex);
  const asked = place === "nowhere" ? undefined : place;
  const path = asked && `${asked.path}/outputs/${source.output}`;
  const { data: items, fault, isStale } = useExact(asked && part({ ...asked, path: path ?? "" }));
  if (place === "nowhere")
    return <EmptyState title="What it was given is not kept here">It came from an execution that is gone.</EmptyState>;
  if (fault) return <ErrorState fault={fault} />;
  if (isStale || !asked || items === undefined) return <Skeleton className="m-4 h-24" />;
  return (
    <ItemsView
      label={`Items from ${source.node}`}
      items={Array.isArray(items) ? (items as unknown[]) : []}
      shape={shape}
      attachmentsOf={{
        executionId: asked.executionId,
        node: source.node,
        run: source.runIndex,
        output: source.output,
        fileOf,
      }}
      onPath={onValue && asked.executionId === id ? (inner) => onValue(`${path ?? ""}${inner}`) : undefined}
    />
  );
}
