import { type Edge as FlowEdge, type Node as FlowNode, type NodeHandle, Position } from "@xyflow/react";
import type { Catalogue, NodeType } from "../catalogue";
import { type Definition, type Edge, MAIN, STICKY_NOTE, type WorkflowNode, edgesOf } from "../model/definition";
import { type Ports, edgesByNode, kindInWords, portsOf } from "../model/ports";
import { isSame } from "../model/merge";
import { type NodeState, type NodeStates, stateInWords } from "../run/states";

export interface CardData extends Record<string, unknown> {
  node: WorkflowNode;
  /** What its type is called; the type itself where this build has no such node. */
  typeName: string;
  /** Its icon and group, which stay the same whatever is told of its ports. */
  look: Pick<NodeType, "icon" | "group"> | undefined;
  ports: Ports;
  state: NodeState | undefined;
  isPinned: boolean;
  isMissing: boolean;
  problem: string | undefined;
}

export type CardNode = FlowNode<CardData, "card" | "note">;
export type CardEdge = FlowEdge<{ edge: Edge }>;

/** Files of n8n have 200 to 220 from node to node, and 120 from helper to helper: cards leave room for connections between. */
const CARD_WIDTH = 168;
const WIDE_WIDTH = 196;
const CARD_HEIGHT = 52;
const HELPER_WIDTH = 108;
const HELPER_HEIGHT = 64;
const PORT_ROW = 24;
const GRID = 20;
export { GRID };

export function sizeOf(node: WorkflowNode, ports: Ports): { width: number; height: number } {
  if (node.type === STICKY_NOTE) {
    const { width, height } = node.parameters;
    return {
      width: typeof width === "number" ? Math.max(80, width) : 240,
      height: typeof height === "number" ? Math.max(60, height) : 160,
    };
  }
  const rows = Math.max(ports.inputs, ports.outputs.length);
  if (isHelper(ports)) return { width: HELPER_WIDTH, height: HELPER_HEIGHT };
  const isWide = ports.takes.length > 2 || ports.outputs.length > 1;
  return { width: isWide ? WIDE_WIDTH : CARD_WIDTH, height: Math.max(CARD_HEIGHT, rows > 1 ? rows * PORT_ROW + 8 : 0) };
}

/** Whether a node only serves others. */
export function isHelper(ports: Ports): boolean {
  return ports.serves.length > 0 && ports.inputs === 0 && ports.outputs.length === 0;
}

export function handleId(way: "in" | "out", kind: string, index: number): string {
  return `${way}/${kind}/${index}`;
}

export function readHandle(id: string | null | undefined): { kind: string; index: number } {
  const [, kind = MAIN, index = "0"] = (id ?? "").split("/");
  return { kind, index: Number(index) };
}

/** How far down the side of a card a port is. */
export function portOffset(index: number, count: number, length: number): number {
  return (length * (index + 1)) / (count + 1);
}

/** Where a card's ports are, so that edges are drawn before anything was measured. */
function handlesOf(ports: Ports, width: number, height: number): NodeHandle[] {
  const handles: NodeHandle[] = [];
  const add = (id: string, type: "source" | "target", position: Position, x: number, y: number) =>
    handles.push({ id, type, position, x: x - 5, y: y - 5, width: 10, height: 10 });
  for (let index = 0; index < ports.inputs; index += 1)
    add(handleId("in", MAIN, index), "target", Position.Left, 0, portOffset(index, ports.inputs, height));
  for (const index of ports.outputs.keys())
    add(handleId("out", MAIN, index), "source", Position.Right, width, portOffset(index, ports.outputs.length, height));
  for (const [place, kind] of ports.takes.entries())
    add(handleId("in", kind, 0), "target", Position.Bottom, portOffset(place, ports.takes.length, width), height);
  for (const [place, kind] of ports.serves.entries())
    add(handleId("out", kind, 0), "source", Position.Top, portOffset(place, ports.serves.length, width), 0);
  return handles;
}

export interface GraphInput {
  definition: Definition;
  catalogue: Catalogue;
  states: NodeStates;
  problems: ReadonlyMap<string, string>;
  missing: ReadonlyMap<string, string>;
}

/** Makes what the canvas draws. What did not change is the same object as before, so that it is not drawn again. */
export class Graph {
  private cards = new Map<string, CardNode>();
  private edges = new Map<string, CardEdge>();
  private input: GraphInput | undefined;

  nodes(
    input: GraphInput,
    selected: ReadonlySet<string>,
    active: string | undefined,
    dragged: ReadonlyMap<string, { x: number; y: number }>,
  ): CardNode[] {
    // While nodes are only dragged or chosen, nothing of the cards themselves is looked at again.
    const isSameInput = this.input === input;
    const byNode = isSameInput ? undefined : edgesByNode(edgesOf(input.definition));
    const before = this.cards;
    this.cards = new Map();
    this.input = input;
    return input.definition.nodes.map((node) => {
      const known = before.get(node.name);
      const card = known && !byNode ? known : this.card(known, node, byNode?.get(node.name) ?? [], input);
      const position = dragged.get(node.name) ?? { x: node.position[0], y: node.position[1] };
      const isSelected = selected.has(node.name);
      const focusable = node.name === active;
      const isKept =
        card.position.x === position.x &&
        card.position.y === position.y &&
        card.selected === isSelected &&
        card.focusable === focusable;
      const shown = isKept ? card : { ...card, position, selected: isSelected, focusable };
      this.cards.set(node.name, shown);
      return shown;
    });
  }

  private card(before: CardNode | undefined, node: WorkflowNode, edges: readonly Edge[], input: GraphInput): CardNode {
    const type = input.catalogue.of(node.type);
    const known = before?.data.node === node ? before.data : undefined;
    const data: CardData = {
      node,
      typeName: type?.displayName ?? node.type,
      look: known?.look ?? type,
      ports: portsOf(node, type, edges),
      state: input.states.get(node.name),
      isPinned: input.definition.pinData?.[node.name] !== undefined,
      isMissing: type === undefined && node.type !== STICKY_NOTE,
      problem: input.problems.get(node.name) ?? input.missing.get(node.name),
    };
    if (before && known && isSameCard(known, data)) return before;
    const { width, height } = sizeOf(node, data.ports);
    return {
      id: node.name,
      type: node.type === STICKY_NOTE ? "note" : "card",
      position: { x: node.position[0], y: node.position[1] },
      data,
      width,
      height,
      measured: { width, height },
      handles: handlesOf(data.ports, width, height),
      ariaLabel: spokenName(data),
      zIndex: node.type === STICKY_NOTE ? -1 : undefined,
    };
  }

  links(input: GraphInput, chosen: string | undefined, selected: ReadonlySet<string>): CardEdge[] {
    const all = edgesOf(input.definition);
    const names = new Set(input.definition.nodes.map((node) => node.name));
    const before = this.edges;
    this.edges = new Map();
    const shown = all.filter((edge) => names.has(edge.source) && names.has(edge.target));
    return shown.map((edge) => {
      const count = input.states.get(edge.source)?.itemCounts[edge.sourceIndex];
      const label = edge.kind === MAIN && count !== undefined && count > 0 ? String(count) : undefined;
      const isNear = selected.has(edge.source) || selected.has(edge.target);
      const focusable = isNear || shown.length <= EDGES_IN_TAB_ORDER;
      const isChosen = edge.id === chosen;
      const known = before.get(edge.id);
      const isKept = known?.label === label && known?.selected === isChosen && known.focusable === focusable;
      const link = known && isKept ? known : this.link(edge, label, isChosen, focusable);
      this.edges.set(edge.id, link);
      return link;
    });
  }

  private link(edge: Edge, label: string | undefined, selected: boolean, focusable: boolean): CardEdge {
    const items = label === undefined ? "" : `, ${label} items went over it`;
    return {
      id: edge.id,
      source: edge.source,
      target: edge.target,
      sourceHandle: handleId("out", edge.kind, edge.sourceIndex),
      targetHandle: handleId("in", edge.kind, edge.kind === MAIN ? edge.targetIndex : 0),
      className: edge.kind === MAIN ? "is-main" : "is-helper",
      label,
      selected,
      focusable,
      ariaLabel: `${spokenEdge(edge)}${items}`,
      data: { edge },
    };
  }
}

/** Up to so many connections are all reached by Tab; of more, those of the chosen nodes. */
const EDGES_IN_TAB_ORDER = 30;

function isSameCard(one: CardData, other: CardData): boolean {
  return (
    one.state === other.state &&
    one.isPinned === other.isPinned &&
    one.isMissing === other.isMissing &&
    one.problem === other.problem &&
    one.typeName === other.typeName &&
    isSame(one.ports, other.ports)
  );
}

function spokenName({ node, typeName, state, isPinned, problem }: CardData): string {
  const parts = [
    node.type === STICKY_NOTE ? `Note: ${text(node.parameters.content)}` : `${node.name}, ${typeName}`,
    node.disabled === true && "disabled",
    isPinned && "pinned",
    state && stateInWords(state),
    problem !== undefined && `problem: ${problem}`,
  ];
  return parts.filter(Boolean).join(", ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 200) : "";
}

/** A connection as it is spoken. */
export function spokenEdge(edge: Omit<Edge, "id">, output?: string): string {
  if (edge.kind !== MAIN) return `${edge.source} serves ${edge.target} as ${kindInWords(edge.kind)}`;
  const from =
    output !== undefined && output !== ""
      ? ` (${output})`
      : edge.sourceIndex > 0
        ? ` (output ${edge.sourceIndex + 1})`
        : "";
  const to = edge.targetIndex > 0 ? ` (input ${edge.targetIndex + 1})` : "";
  return `From ${edge.source}${from} to ${edge.target}${to}`;
}
