import { type Definition, type Edge, type WorkflowNode, edgeId, edgesOf } from "./definition";
import { connect } from "./edit";

export interface Merged {
  definition: Definition;
  /** What both changed, in different ways: mine was taken. */
  disputed: string[];
}

/** What two people made of the same workflow, in one. Nodes are known by their ids, so that renaming is a change like others. */
export function mergeDefinitions(base: Definition, mine: Definition, theirs: Definition): Merged {
  const disputed: string[] = [];
  const choose = <V>(name: string, before: V, own: V, other: V): V => {
    if (isSame(own, other) || isSame(other, before)) return own;
    if (isSame(own, before)) return other;
    disputed.push(name);
    return own;
  };
  const byId = (definition: Definition) => new Map(definition.nodes.map((node) => [node.id, node]));
  const [before, own, other] = [byId(base), byId(mine), byId(theirs)];
  const ids = new Set([...own.keys(), ...other.keys()]);
  const nodes: WorkflowNode[] = [];
  for (const id of ids) {
    const name = own.get(id)?.name ?? other.get(id)?.name ?? id;
    const node = choose(name, before.get(id), own.get(id), other.get(id));
    if (node) nodes.push(node);
  }
  let definition: Definition = {
    ...mine,
    name: choose("the name", base.name, mine.name, theirs.name),
    nodes,
    connections: {},
    settings: choose("the settings", base.settings, mine.settings, theirs.settings),
    pinData: choose("the pinned items", base.pinData, mine.pinData, theirs.pinData),
  };
  for (const edge of mergedEdges(base, mine, theirs, definition)) definition = connect(definition, edge);
  return { definition, disputed };
}

/** Connections by ids of nodes, so that they outlive another name that one of the two gave. */
function mergedEdges(base: Definition, mine: Definition, theirs: Definition, merged: Definition): Omit<Edge, "id">[] {
  const byIds = (definition: Definition) => {
    const ids = new Map(definition.nodes.map((node) => [node.name, node.id]));
    const edges = edgesOf(definition).map((edge) => ({
      ...edge,
      source: ids.get(edge.source) ?? "",
      target: ids.get(edge.target) ?? "",
    }));
    return new Map(edges.map((edge) => [edgeId(edge), edge]));
  };
  const [before, own, other] = [byIds(base), byIds(mine), byIds(theirs)];
  const names = new Map(merged.nodes.map((node) => [node.id, node.name]));
  return [...new Map([...own, ...other])].flatMap(([id, edge]) => {
    const isKept = before.has(id) ? own.has(id) && other.has(id) : true;
    const [source, target] = [names.get(edge.source), names.get(edge.target)];
    return isKept && source !== undefined && target !== undefined ? [{ ...edge, source, target }] : [];
  });
}

/** Whether two values say the same, whatever the order of their fields. */
export function isSame(one: unknown, other: unknown): boolean {
  return one === other || canonical(one) === canonical(other);
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
