import { isRecord } from "@/parts/records";

/** A node of a workflow, as far as this page draws it. */
export interface DrawnNode {
  name: string;
  type: string;
  x: number;
  y: number;
  isDisabled: boolean;
  parameters: unknown;
}

export interface DrawnEdge {
  id: string;
  source: string;
  target: string;
  output: number;
  input: number;
  kind: string;
}

export interface Drawn {
  nodes: DrawnNode[];
  edges: DrawnEdge[];
}

/** What is drawn of a workflow's definition. Whatever is not as it should be is left out: it was written by others. */
export function drawn(definition: unknown): Drawn {
  if (!isRecord(definition)) return { nodes: [], edges: [] };
  const list = Array.isArray(definition.nodes) ? (definition.nodes as unknown[]) : [];
  const nodes = list.flatMap((node): DrawnNode[] => {
    if (!isRecord(node) || typeof node.name !== "string") return [];
    const place = Array.isArray(node.position) ? (node.position as unknown[]) : [];
    return [
      {
        name: node.name,
        type: typeof node.type === "string" ? node.type : "",
        x: Number(place[0] ?? 0) || 0,
        y: Number(place[1] ?? 0) || 0,
        isDisabled: node.disabled === true,
        parameters: node.parameters ?? {},
      },
    ];
  });
  const names = new Set(nodes.map((node) => node.name));
  return { nodes, edges: edgesOf(definition.connections).filter((edge) => names.has(edge.target)) };
}

function edgesOf(connections: unknown): DrawnEdge[] {
  const edges: DrawnEdge[] = [];
  for (const [source, kinds] of entries(connections)) {
    for (const [kind, outputs] of entries(kinds)) {
      for (const [output, targets] of (Array.isArray(outputs) ? (outputs as unknown[]) : []).entries()) {
        for (const target of Array.isArray(targets) ? (targets as unknown[]) : []) {
          if (!isRecord(target) || typeof target.node !== "string") continue;
          const input = typeof target.index === "number" ? target.index : 0;
          const id = JSON.stringify([source, kind, output, target.node, input]);
          edges.push({ id, source, target: target.node, output, input, kind });
        }
      }
    }
  }
  return edges;
}

function entries(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : [];
}

/** Whether nodes lie on each other, so that places of our own are better. */
export function isCrowded(nodes: readonly DrawnNode[]): boolean {
  const places = new Set(nodes.map((node) => `${node.x} ${node.y}`));
  return places.size < nodes.length;
}
