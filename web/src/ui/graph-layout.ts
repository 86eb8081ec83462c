import type { ELK as Elk, ElkNode } from "elkjs/lib/elk-api";

export interface GraphNode {
  id: string;
  width: number;
  height: number;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
}

let elk: Promise<Elk> | undefined;

/** The one layouter, in a worker, so that the page stays quick meanwhile. It is loaded when it is first needed. */
async function layouter(): Promise<Elk> {
  const [{ default: ElkApi }, { default: address }] = await Promise.all([
    import("elkjs/lib/elk-api"),
    import("elkjs/lib/elk-worker.min.js?url"),
  ]);
  return new ElkApi({ workerFactory: () => new Worker(address) });
}

/** Places for nodes, from left to right along their edges. */
export async function layOut(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
): Promise<Map<string, { x: number; y: number }>> {
  elk ??= layouter();
  const graph: ElkNode = {
    id: "root",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": "RIGHT",
      "elk.spacing.nodeNode": "32",
      "elk.layered.spacing.nodeNodeBetweenLayers": "72",
      "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
    },
    children: nodes.map(({ id, width, height }) => ({ id, width, height })),
    edges: edges.map(({ id, source, target }) => ({ id, sources: [source], targets: [target] })),
  };
  const laid = await (await elk).layout(graph);
  return new Map((laid.children ?? []).map(({ id, x, y }) => [id, { x: x ?? 0, y: y ?? 0 }]));
}
