import { type Definition, type WorkflowNode, edgesOf, freshName, readDefinition } from "./definition";
import { connect } from "./edit";
import { renameReferences } from "./references";

/** Nodes as n8n copies them: a workflow file of just these. */
export function copyNodes(definition: Definition, names: ReadonlySet<string>): string {
  const nodes = definition.nodes.filter((node) => names.has(node.name));
  let part: Definition = { name: "", nodes, connections: {} };
  for (const edge of edgesOf(definition))
    if (names.has(edge.source) && names.has(edge.target)) part = connect(part, edge);
  const pins = Object.entries(definition.pinData ?? {}).filter(([name]) => names.has(name));
  const copied = { nodes, connections: part.connections, pinData: Object.fromEntries(pins), meta: {} };
  return JSON.stringify(copied, undefined, 2);
}

export interface Pasted {
  definition: Definition;
  /** The names under which the nodes came in. */
  names: string[];
}

/** Takes in nodes that were copied here or in n8n. `undefined` when the text is nothing of the kind. */
export function pasteNodes(definition: Definition, text: string, at: { x: number; y: number }): Pasted | undefined {
  const part = readCopied(text);
  if (!part || part.nodes.length === 0) return undefined;
  const left = Math.min(...part.nodes.map((node) => node.position[0]));
  const top = Math.min(...part.nodes.map((node) => node.position[1]));
  const names = new Map<string, string>();
  for (const { name } of part.nodes) names.set(name, freshName(definition, name, new Set(names.values())));
  const nodes = part.nodes.map((node): WorkflowNode => {
    const [x, y] = node.position;
    const pasted: WorkflowNode = {
      ...node,
      id: crypto.randomUUID(),
      name: names.get(node.name) ?? node.name,
      position: [Math.round(at.x + x - left), Math.round(at.y + y - top)],
      parameters: renamedAll(node.parameters, names),
    };
    // Two webhooks with one id would take each other's calls.
    if (node.webhookId !== undefined) pasted.webhookId = crypto.randomUUID();
    return pasted;
  });
  let pasted: Definition = { ...definition, nodes: [...definition.nodes, ...nodes] };
  for (const edge of edgesOf(part)) {
    const [source, target] = [names.get(edge.source), names.get(edge.target)];
    if (source !== undefined && target !== undefined) pasted = connect(pasted, { ...edge, source, target });
  }
  const pins = Object.entries(part.pinData ?? {}).flatMap(([name, items]) => {
    const to = names.get(name);
    return to === undefined ? [] : [[to, items] as const];
  });
  if (pins.length > 0) pasted = { ...pasted, pinData: { ...definition.pinData, ...Object.fromEntries(pins) } };
  return { definition: pasted, names: [...names.values()] };
}

function readCopied(text: string): Definition | undefined {
  try {
    return readDefinition(JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** Renames to names that are free first, so that two nodes that swap names are not taken for one. */
function renamedAll<V>(value: V, names: ReadonlyMap<string, string>): V {
  const changed = [...names].filter(([from, to]) => from !== to);
  const marked = changed.reduce((one, [from], place) => renameReferences(one, from, `\u0000${place}`), value);
  return changed.reduce((one, [, to], place) => renameReferences(one, `\u0000${place}`, to), marked);
}

/** A second time the same nodes, beside the first. */
export function duplicateNodes(definition: Definition, names: ReadonlySet<string>): Pasted | undefined {
  const chosen = definition.nodes.filter((node) => names.has(node.name));
  if (chosen.length === 0) return undefined;
  const x = Math.min(...chosen.map((node) => node.position[0])) + 40;
  const y = Math.min(...chosen.map((node) => node.position[1])) + 80;
  return pasteNodes(definition, copyNodes(definition, names), { x, y });
}
