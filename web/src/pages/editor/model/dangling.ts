import { type Definition, type Edge, edgesOf } from "./definition";
import { disconnect } from "./edit";

/** Connections of nodes that are not there: files have them, and no canvas shows them. */
export function danglingEdges(definition: Definition): Edge[] {
  const names = namesOf(definition);
  return edgesOf(definition).filter((edge) => !names.has(edge.source) || !names.has(edge.target));
}

/** The definition without them. */
export function withoutDangling(definition: Definition): Definition {
  const names = namesOf(definition);
  const kept = disconnect(definition, (edge) => !names.has(edge.target));
  const own = Object.entries(kept.connections).filter(([source]) => names.has(source));
  return { ...kept, connections: Object.fromEntries(own) };
}

function namesOf(definition: Definition): Set<string> {
  return new Set(definition.nodes.map((node) => node.name));
}
