import {
  Background,
  BackgroundVariant,
  type Connection,
  ConnectionLineType,
  type EdgeChange,
  MarkerType,
  MiniMap,
  type NodeChange,
  type OnConnectEnd,
  ReactFlow,
  ReactFlowProvider,
  SelectionMode,
  useReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Button, IconButton, Icon } from "@/ui";
import { placeNodes, updateNode } from "../model/edit";
import { useDraftState, useEditor } from "../state/editor";
import type { NodeStates } from "../run/states";
import { Card, Note } from "./Card";
import "./canvas.css";
import { type CardEdge, type CardNode, GRID, Graph, readHandle } from "./graph";
import { type Box, NoteResize } from "./note-resize";
import { tidy } from "./tidy";

const NODE_TYPES = { card: Card, note: Note };
const EDGE_OPTIONS = { markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14 }, interactionWidth: 16 };
const FIT = { padding: 0.2, maxZoom: 1, minZoom: 0.3 };
const SNAP: [number, number] = [GRID, GRID];
/** From so many nodes on, those out of sight are left out. Below, to find out which these are costs more than to keep all. */
const MANY = 600;
const NOTHING: ReadonlyMap<string, { x: number; y: number }> = new Map();

export interface CanvasProps {
  states: NodeStates;
  problems: ReadonlyMap<string, string>;
  missing: ReadonlyMap<string, string>;
}

export function Canvas(props: CanvasProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ states, problems, missing }: CanvasProps) {
  const { draft, commands, catalogue, isReadOnly, openNode, openPalette, say } = useEditor();
  const { history, selection, edge } = useDraftState();
  const definition = history.present;
  const flow = useReactFlow<CardNode, CardEdge>();
  const [graph] = useState(() => new Graph());
  const [dragged, setDragged] = useState(NOTHING);
  const input = useMemo(
    () => ({ definition, catalogue, states, problems, missing }),
    [definition, catalogue, states, problems, missing],
  );
  const selected = useMemo(() => new Set(selection), [selection]);
  const active = selection.at(-1) ?? definition.nodes[0]?.name;
  const nodes = useMemo(() => graph.nodes(input, selected, active, dragged), [graph, input, selected, active, dragged]);
  const edges = useMemo(() => graph.links(input, edge, selected), [graph, input, edge, selected]);
  useActiveInSight(selection.at(-1), edge);

  const onNodesChange = useCallback(
    (changes: NodeChange<CardNode>[]) => {
      const moves = changes.filter((change) => change.type === "position" && change.position !== undefined);
      if (moves.length > 0) {
        const isOver = moves.every((change) => change.type === "position" && change.dragging !== true);
        const places = new Map<string, { x: number; y: number }>();
        for (const change of moves)
          if (change.type === "position" && change.position) places.set(change.id, change.position);
        if (isOver) {
          setDragged(NOTHING);
          draft.edit(placeNodes(draft.definition, places));
        } else setDragged((before) => new Map([...before, ...places]));
      }
      const chosen = new Set(draft.get().selection);
      const before = chosen.size;
      let isOther = false;
      for (const change of changes) {
        if (change.type !== "select" || chosen.has(change.id) === change.selected) continue;
        isOther = true;
        if (change.selected) chosen.add(change.id);
        else chosen.delete(change.id);
      }
      if (isOther || chosen.size !== before) draft.select([...chosen], draft.get().edge);
    },
    [draft],
  );
  const onEdgesChange = useCallback(
    (changes: EdgeChange<CardEdge>[]) => {
      for (const change of changes) {
        if (change.type !== "select") continue;
        const { edge: chosen, selection: names } = draft.get();
        if (change.selected) draft.select([], change.id);
        else if (chosen === change.id) draft.select(names, undefined);
      }
    },
    [draft],
  );
  const onConnect = useCallback(
    ({ source, target, sourceHandle, targetHandle }: Connection) => {
      const [from, to] = [readHandle(sourceHandle), readHandle(targetHandle)];
      commands.connect({ source, sourceIndex: from.index, target, targetIndex: to.index, kind: from.kind });
    },
    [commands],
  );
  const onConnectEnd: OnConnectEnd = useCallback(
    (event, state) => {
      if (state.toHandle || !state.fromHandle) return;
      const point = "changedTouches" in event ? event.changedTouches[0] : event;
      if (!point) return;
      const at = flow.screenToFlowPosition({ x: point.clientX, y: point.clientY });
      const { kind, index } = readHandle(state.fromHandle.id);
      if (state.fromHandle.type === "source" && kind === "main")
        openPalette({ after: { node: state.fromNode.id, output: index }, at });
      else if (state.fromHandle.type === "target" && kind !== "main")
        openPalette({ helps: { node: state.fromNode.id, kind }, at });
    },
    [flow, openPalette],
  );
  const onResize = useCallback(
    (name: string, { x, y, width, height }: Box) => {
      const resized = updateNode(draft.definition, name, (node) => ({
        position: [Math.round(x), Math.round(y)],
        parameters: { ...node.parameters, width: Math.round(width), height: Math.round(height) },
      }));
      draft.edit(resized);
    },
    [draft],
  );
  const tidyUp = async () => {
    const places = await tidy(draft.definition, nodes);
    draft.edit(placeNodes(draft.definition, places));
    say("Tidied up");
    requestAnimationFrame(() => void flow.fitView(FIT));
  };
  return (
    <NoteResize value={onResize}>
      <ReactFlow<CardNode, CardEdge>
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        nodesDraggable={!isReadOnly}
        nodesConnectable={!isReadOnly}
        // A node that cannot be dragged lets a double press through to the pane, which would take it for itself.
        zoomOnDoubleClick={!isReadOnly}
        defaultEdgeOptions={EDGE_OPTIONS}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onConnect={onConnect}
        onConnectEnd={onConnectEnd}
        isValidConnection={(link) => readHandle(link.sourceHandle).kind === readHandle(link.targetHandle).kind}
        onNodeDoubleClick={(_event, node) => openNode(node.id)}
        onPaneClick={() => draft.select([])}
        connectionLineType={ConnectionLineType.Bezier}
        selectionMode={SelectionMode.Partial}
        onlyRenderVisibleElements={nodes.length > MANY}
        elevateNodesOnSelect={false}
        // Our own keys do more, and tell what they did in the page's live region.
        disableKeyboardA11y
        deleteKeyCode={null}
        multiSelectionKeyCode={["Meta", "Control", "Shift"]}
        snapToGrid
        snapGrid={SNAP}
        minZoom={0.1}
        maxZoom={2}
        fitView
        fitViewOptions={FIT}
        aria-label="Canvas"
      >
        <Background
          variant={BackgroundVariant.Dots}
          gap={GRID}
          size={1}
          color="color-mix(in srgb, var(--line-strong) 45%, transparent)"
        />
        {nodes.length > 12 && (
          <MiniMap
            pannable
            zoomable
            ariaLabel="The whole workflow in small"
            className="!hidden !bg-surface md:!block"
            maskColor="color-mix(in srgb, var(--bg) 70%, transparent)"
            nodeColor="var(--line-strong)"
          />
        )}
      </ReactFlow>
      <div
        role="toolbar"
        aria-label="Canvas view"
        className="absolute bottom-3 left-3 flex gap-0.5 rounded-lg border bg-raised p-0.5 shadow-sm"
      >
        <IconButton size="small" label="Zoom in" icon={<Icon name="plus" />} onClick={() => void flow.zoomIn()} />
        <IconButton
          size="small"
          label="Zoom out"
          icon={<span aria-hidden>−</span>}
          onClick={() => void flow.zoomOut()}
        />
        <Button size="small" kind="quiet" onClick={() => void flow.fitView(FIT)}>
          Fit
        </Button>
        {!isReadOnly && (
          <Button size="small" kind="quiet" onClick={() => void tidyUp()}>
            Tidy up
          </Button>
        )}
      </div>
    </NoteResize>
  );
}

/** Brings what keys chose into sight, and the focus to it where it was on the canvas. */
function useActiveInSight(active: string | undefined, edge: string | undefined): void {
  const flow = useReactFlow<CardNode, CardEdge>();
  const before = useRef<string | undefined>(undefined);
  useEffect(() => {
    const key = active ?? edge;
    if (key === undefined || before.current === key) return;
    before.current = key;
    const canvas = document.querySelector<HTMLElement>("[data-area=canvas]");
    const focused = document.activeElement;
    const isOurs = canvas?.contains(focused) === true || focused === document.body || focused?.id === "main";
    if (!canvas || !isOurs) return;
    if (active !== undefined) bringIntoSight(flow, canvas, active);
    requestAnimationFrame(() => {
      const kind = active === undefined ? "edge" : "node";
      canvas
        .querySelector<HTMLElement>(`.react-flow__${kind}[data-id="${CSS.escape(key)}"]`)
        ?.focus({ preventScroll: true });
    });
  }, [active, edge, flow]);
}

function bringIntoSight(
  flow: ReturnType<typeof useReactFlow<CardNode, CardEdge>>,
  canvas: HTMLElement,
  name: string,
): void {
  const node = flow.getNode(name);
  if (!node) return;
  const box = canvas.getBoundingClientRect();
  const corner = flow.flowToScreenPosition(node.position);
  const { zoom } = flow.getViewport();
  const [width, height] = [(node.width ?? 0) * zoom, (node.height ?? 0) * zoom];
  const isIn =
    corner.x >= box.left && corner.y >= box.top && corner.x + width <= box.right && corner.y + height <= box.bottom;
  if (!isIn)
    void flow.setCenter(node.position.x + (node.width ?? 0) / 2, node.position.y + (node.height ?? 0) / 2, { zoom });
}
