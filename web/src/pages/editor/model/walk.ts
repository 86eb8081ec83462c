import { type Definition, type Edge, MAIN, STICKY_NOTE, type WorkflowNode, edgesOf, nodeNamed } from "./definition";

export type Way = "left" | "right" | "up" | "down";

/** Where the selection goes from a node: along its connections where there are some, else to what is nearest that way. */
export function neighbour(definition: Definition, name: string, way: Way): string | undefined {
  const node = nodeNamed(definition, name);
  if (!node) return definition.nodes[0]?.name;
  const edges = edgesOf(definition);
  if (way === "right") return alongFrom(edges, name) ?? nearest(definition, node, way);
  if (way === "left") return alongTo(edges, name) ?? nearest(definition, node, way);
  return sibling(definition, edges, node, way) ?? helperOrHost(edges, name, way) ?? nearest(definition, node, way);
}

function alongFrom(edges: readonly Edge[], name: string): string | undefined {
  const out = edges.filter((edge) => edge.source === name && edge.target !== name);
  return (out.find((edge) => edge.kind === MAIN) ?? out[0])?.target;
}

function alongTo(edges: readonly Edge[], name: string): string | undefined {
  return edges.find((edge) => edge.target === name && edge.kind === MAIN && edge.source !== name)?.source;
}

/** Down from a node are its helpers, up from a helper is the node that it serves. */
function helperOrHost(edges: readonly Edge[], name: string, way: "up" | "down"): string | undefined {
  return way === "down"
    ? edges.find((edge) => edge.target === name && edge.kind !== MAIN)?.source
    : edges.find((edge) => edge.source === name && edge.kind !== MAIN)?.target;
}

/** Nodes that are fed by the same one, in the order of its outputs. */
function sibling(
  definition: Definition,
  edges: readonly Edge[],
  node: WorkflowNode,
  way: "up" | "down",
): string | undefined {
  const into = edges.find((edge) => edge.target === node.name && edge.kind === MAIN);
  if (!into) return undefined;
  const fed = new Set(
    edges.filter((edge) => edge.source === into.source && edge.kind === MAIN).map((edge) => edge.target),
  );
  const row = definition.nodes
    .filter((one) => fed.has(one.name))
    .sort((one, other) => one.position[1] - other.position[1]);
  const place = row.findIndex((one) => one.name === node.name);
  return row[place + (way === "down" ? 1 : -1)]?.name;
}

function nearest(definition: Definition, from: WorkflowNode, way: Way): string | undefined {
  const isAcross = way === "left" || way === "right";
  const sign = way === "right" || way === "down" ? 1 : -1;
  let best: { name: string; cost: number } | undefined;
  for (const node of definition.nodes) {
    const dx = node.position[0] - from.position[0];
    const dy = node.position[1] - from.position[1];
    const ahead = (isAcross ? dx : dy) * sign;
    if (node.name === from.name || ahead <= 0) continue;
    // What is off to the side counts double, so that a way that is seen as straight is gone straight.
    const cost = ahead + 2 * Math.abs(isAcross ? dy : dx);
    if (!best || cost < best.cost) best = { name: node.name, cost };
  }
  return best?.name;
}

/** A line of the workflow as text. */
export interface OutlineLine {
  /** Differs for each line: a node that several lead to is told once and named again. */
  key: string;
  name: string;
  depth: number;
  /** By which connection it is reached; absent for beginnings. */
  via: Edge | undefined;
  /** It was told further up. */
  isAgain: boolean;
  parent: string | undefined;
}

/** The workflow as a tree: from each beginning along the connections, helpers beneath the node that they serve. */
export function outline(definition: Definition): OutlineLine[] {
  const edges = edgesOf(definition).filter(
    (edge) => nodeNamed(definition, edge.target) && nodeNamed(definition, edge.source),
  );
  const lines: OutlineLine[] = [];
  const told = new Set<string>();
  const tell = (name: string, depth: number, via: Edge | undefined, parent: string | undefined) => {
    const isAgain = told.has(name);
    const key = via ? via.id : `start:${name}`;
    lines.push({ key, name, depth, via, isAgain, parent });
    if (isAgain) return;
    told.add(name);
    for (const edge of edges) if (edge.target === name && edge.kind !== MAIN) tell(edge.source, depth + 1, edge, key);
    for (const edge of edges) if (edge.source === name && edge.kind === MAIN) tell(edge.target, depth + 1, edge, key);
  };
  const byPlace = [...definition.nodes]
    .filter((node) => node.type !== STICKY_NOTE)
    .sort((one, other) => one.position[1] - other.position[1] || one.position[0] - other.position[0]);
  const isFed = (name: string) => edges.some((edge) => edge.kind === MAIN && edge.target === name);
  const serves = (name: string) => edges.some((edge) => edge.kind !== MAIN && edge.source === name);
  for (const node of byPlace) if (!isFed(node.name) && !serves(node.name)) tell(node.name, 0, undefined, undefined);
  // Rings that nothing leads into begin somewhere.
  for (const node of byPlace) if (!told.has(node.name)) tell(node.name, 0, undefined, undefined);
  return lines;
}

/** The nodes before a node, the nearest first. */
export function nodesBefore(definition: Definition, name: string): string[] {
  const edges = edgesOf(definition);
  const found: string[] = [];
  const ahead = [name];
  const seen = new Set(ahead);
  for (const at of ahead)
    for (const edge of edges) {
      // What serves a node sees what that node sees.
      const isBefore = edge.kind === MAIN ? edge.target === at : edge.source === at;
      const before = edge.kind === MAIN ? edge.source : edge.target;
      if (!isBefore || seen.has(before)) continue;
      seen.add(before);
      ahead.push(before);
      if (edge.kind === MAIN) found.push(before);
    }
  return found;
}
