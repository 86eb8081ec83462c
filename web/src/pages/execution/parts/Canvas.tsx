import "@xyflow/react/dist/style.css";
import {
  BaseEdge,
  type Edge,
  type EdgeProps,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  getBezierPath,
  useReactFlow,
  useStore,
  useStoreApi,
} from "@xyflow/react";
import {
  type CSSProperties,
  type RefObject,
  createContext,
  memo,
  use,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { EmptyState, Icon, Skeleton, type Tone, classes, layOut } from "@/ui";
import { type Drawn, type DrawnNode, isCrowded } from "../definition";
import { NODE_ICONS, NODE_TONES, NODE_WORDS, typeName } from "../event-names";
import { useActiveNode, useShownNode } from "./shown";

const WIDTH = 176;
const HEIGHT = 52;
const ZOOM_MIN = 0.05;
/** All nodes are in view, however many there are and however small the pane is. */
const FIT = { padding: 0.08, maxZoom: 1, minZoom: ZOOM_MIN };
const FLOW = {
  "--xy-background-color": "var(--bg)",
  "--xy-edge-stroke": "var(--line-strong)",
  "--xy-attribution-background-color": "transparent",
} as CSSProperties;

interface Chosen {
  chosen: string | undefined;
  breakpoints: ReadonlySet<string>;
  changed: ReadonlySet<string>;
  onChoose: (node: string) => void;
}

const ChosenContext = createContext<Chosen>({
  chosen: undefined,
  breakpoints: new Set(),
  changed: new Set(),
  onChoose: () => undefined,
});

const EDGES: Record<Tone, string> = {
  neutral: "border-line",
  good: "border-good/50",
  warn: "border-warn/60",
  bad: "border-bad",
  info: "border-info",
  accent: "border-accent/40",
};
const MARKS: Record<Tone, string> = {
  neutral: "bg-sunken text-muted",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  info: "bg-info-soft text-info",
  accent: "bg-accent-soft text-accent",
};

type FlowNode = Node<{ node: DrawnNode }, "node">;
type FlowEdge = Edge<Record<string, unknown>, "way">;

const NodeCard = memo(function NodeCard({ data }: NodeProps<FlowNode>) {
  const { node } = data;
  const { chosen, breakpoints, changed, onChoose } = use(ChosenContext);
  const at = useShownNode(node.name);
  const tone = NODE_TONES[at.status];
  const hasBreakpoint = breakpoints.has(node.name);
  const said = [
    node.name,
    NODE_WORDS[at.status],
    at.runs > 1 && `${at.runs} runs`,
    at.isChanged && "changed since the last stop",
    hasBreakpoint && "has a breakpoint",
    changed.has(node.name) && "changed in this fork",
  ];
  return (
    <>
      <Handle type="target" position={Position.Left} className="!size-0 !min-h-0 !min-w-0 !border-0 !bg-transparent" />
      <button
        type="button"
        data-node={node.name}
        data-status={at.status}
        aria-label={said.filter(Boolean).join(", ")}
        aria-pressed={chosen === node.name}
        onClick={() => onChoose(node.name)}
        style={{ width: `${WIDTH}px`, height: `${HEIGHT}px` }}
        className={classes(
          // Nodes that cannot be moved take no presses, but what is in them does.
          "nodrag nopan pointer-events-auto relative flex items-center gap-2.5 rounded-lg border bg-surface px-2.5 text-left shadow-sm",
          EDGES[tone],
          chosen === node.name && "ring-2 ring-accent",
          at.status === "NONE" && "border-dashed",
        )}
      >
        <span className={classes("flex size-7 shrink-0 items-center justify-center rounded-md", MARKS[tone])}>
          {NODE_ICONS[at.status] ? (
            <Icon name={NODE_ICONS[at.status] ?? "check"} className={at.status === "RUNNING" ? "animate-pulse" : ""} />
          ) : (
            <span className="size-1.5 rounded-full bg-current" />
          )}
        </span>
        <span className="min-w-0 flex-1">
          <span
            className={classes("block truncate text-[14.5px] leading-5 font-medium", node.isDisabled && "line-through")}
          >
            {node.name}
          </span>
          <span className="block truncate text-xs text-muted">
            {changed.has(node.name) ? "changed in this fork" : typeName(node.type)}
          </span>
        </span>
        {at.runs > 1 && <span className="rounded bg-sunken px-1 text-[11px] text-muted tabular-nums">×{at.runs}</span>}
        {hasBreakpoint && (
          <span className="absolute -top-1.5 -left-1.5 size-3 rounded-full border-2 border-surface bg-bad" />
        )}
        {at.isChanged && (
          <span className="absolute -top-1 -right-1 size-2.5 rounded-full bg-warn ring-2 ring-surface" />
        )}
      </button>
      <Handle type="source" position={Position.Right} className="!size-0 !min-h-0 !min-w-0 !border-0 !bg-transparent" />
    </>
  );
});

const Way = memo(function Way(props: EdgeProps<FlowEdge>) {
  const { sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition } = props;
  const source = useShownNode(props.source);
  const target = useShownNode(props.target);
  const [path] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const isTaken = target.status !== "NONE" && source.status !== "NONE";
  return (
    <BaseEdge
      path={path}
      style={{
        stroke: isTaken ? "var(--good)" : "var(--line-strong)",
        strokeWidth: isTaken ? 1.75 : 1,
        strokeDasharray: isTaken ? undefined : "4 4",
        opacity: isTaken ? 0.7 : 0.6,
      }}
    />
  );
});

const NODE_TYPES = { node: NodeCard };
const EDGE_TYPES = { way: Way };

export interface CanvasProps {
  drawn: Drawn | undefined;
  chosen: string | undefined;
  breakpoints: ReadonlySet<string>;
  /** Nodes of which a fork changed something. */
  changed: ReadonlySet<string>;
  onChoose: (node: string) => void;
}

/** The version of the workflow that the execution runs; read only. */
export const Canvas = memo(function Canvas({ drawn, chosen, breakpoints, changed, onChoose }: CanvasProps) {
  const places = usePlaces(drawn);
  const movedRef = useRef(false);
  const value = useMemo(() => ({ chosen, breakpoints, changed, onChoose }), [chosen, breakpoints, changed, onChoose]);
  const nodes = useMemo(
    () =>
      (drawn?.nodes ?? []).map((node): FlowNode => ({
        id: node.name,
        type: "node",
        position: places?.get(node.name) ?? { x: node.x, y: node.y },
        data: { node },
        width: WIDTH,
        height: HEIGHT,
      })),
    [drawn, places],
  );
  const edges = useMemo(
    () =>
      (drawn?.edges ?? []).map((edge): FlowEdge => ({
        id: edge.id,
        source: edge.source,
        target: edge.target,
        type: "way",
      })),
    [drawn],
  );
  if (!drawn || !places) return <Skeleton className="m-6 h-24 w-2/3" />;
  if (nodes.length === 0)
    return (
      <EmptyState icon="workflow" title="This version has no nodes">
        There is nothing to draw. The events tell what happened.
      </EmptyState>
    );
  return (
    <ChosenContext value={value}>
      <ReactFlowProvider>
        <div role="group" aria-label="Workflow" className="relative min-h-0 flex-1 [&_a[href*=reactflow]]:text-muted!">
          <ReactFlow
            nodes={nodes}
            edges={edges}
            nodeTypes={NODE_TYPES}
            edgeTypes={EDGE_TYPES}
            nodesDraggable={false}
            nodesConnectable={false}
            nodesFocusable={false}
            edgesFocusable={false}
            elementsSelectable={false}
            onlyRenderVisibleElements={nodes.length > 150}
            fitView
            fitViewOptions={FIT}
            onMoveStart={(event) => {
              // What is not moved by a hand has no event.
              if (event) movedRef.current = true;
            }}
            minZoom={ZOOM_MIN}
            maxZoom={2}
            style={FLOW}
            proOptions={{ hideAttribution: false }}
          />
          <Zoom movedRef={movedRef} />
          <KeepFitted places={places} movedRef={movedRef} />
          <KeepInSight />
        </div>
      </ReactFlowProvider>
    </ChosenContext>
  );
});

/** Whether somebody chose what is in view; it stays so then. */
type MovedRef = RefObject<boolean>;

/** Fits all nodes into the pane once both have their size, and again when one of them gets another. */
function KeepFitted({ places, movedRef }: { places: unknown; movedRef: MovedRef }) {
  const flow = useReactFlow();
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  useEffect(() => {
    if (width === 0 || height === 0 || movedRef.current) return undefined;
    const frame = requestAnimationFrame(() => void flow.fitView(FIT));
    return () => cancelAnimationFrame(frame);
  }, [flow, width, height, places, movedRef]);
  return null;
}

function Zoom({ movedRef }: { movedRef: MovedRef }) {
  const flow = useReactFlow();
  const zoom = (change: () => Promise<boolean>) => {
    movedRef.current = true;
    void change();
  };
  const fit = () => {
    movedRef.current = false;
    void flow.fitView(FIT);
  };
  const button = "flex size-7 items-center justify-center hover:bg-hover";
  return (
    <div className="absolute bottom-3 left-3 z-10 flex divide-x overflow-hidden rounded-md border bg-surface text-muted">
      <button type="button" aria-label="Smaller" className={button} onClick={() => zoom(flow.zoomOut)}>
        −
      </button>
      <button type="button" aria-label="Larger" className={button} onClick={() => zoom(flow.zoomIn)}>
        +
      </button>
      <button type="button" className={classes(button, "w-auto px-2 text-xs")} onClick={fit}>
        Fit
      </button>
    </div>
  );
}

/** Brings a node into sight that is out of it, as the event goes on to it. */
function KeepInSight() {
  const node = useActiveNode();
  const flow = useReactFlow();
  const store = useStoreApi();
  useEffect(() => {
    const look = () => {
      const place = node === undefined ? undefined : flow.getNode(node)?.position;
      if (!place) return;
      const { width, height } = store.getState();
      const { x, y, zoom } = flow.getViewport();
      const left = place.x * zoom + x;
      const top = place.y * zoom + y;
      const isInSight = left >= 0 && top >= 0 && left + WIDTH * zoom <= width && top + HEIGHT * zoom <= height;
      if (!isInSight && width > 0) void flow.setCenter(place.x + WIDTH / 2, place.y + HEIGHT / 2, { zoom });
    };
    // Behind the frame in which the workflow is fitted in.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(look);
    });
    return () => cancelAnimationFrame(frame);
  }, [flow, store, node]);
  return null;
}

/** Where nodes lie: as their author put them, or laid out where that says nothing. */
function usePlaces(drawn: Drawn | undefined): Map<string, { x: number; y: number }> | undefined {
  const own = useMemo(
    () =>
      drawn && !isCrowded(drawn.nodes) ? new Map(drawn.nodes.map(({ name, x, y }) => [name, { x, y }])) : undefined,
    [drawn],
  );
  const [laid, setLaid] = useState<{ of: Drawn; places: Map<string, { x: number; y: number }> } | undefined>();
  useEffect(() => {
    if (!drawn || own) return;
    const nodes = drawn.nodes.map(({ name }) => ({ id: name, width: WIDTH, height: HEIGHT }));
    const edges = drawn.edges.map(({ id, source, target }) => ({ id, source, target }));
    // What lays out is loaded when it is needed. Where it cannot be, nodes lie where the file says, on each other or not.
    const asWritten = () => new Map(drawn.nodes.map(({ name, x, y }) => [name, { x, y }]));
    void layOut(nodes, edges)
      .catch(asWritten)
      .then((places) => setLaid({ of: drawn, places }));
  }, [drawn, own]);
  return own ?? (laid?.of === drawn ? laid?.places : undefined);
}
