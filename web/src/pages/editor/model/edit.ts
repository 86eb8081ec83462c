import {
  type Connections,
  type Definition,
  type Edge,
  MAIN,
  type Target,
  type WorkflowNode,
  edgesOf,
  freshName,
} from "./definition";
import { renameReferences } from "./references";

/** Puts a node in. Its name is made one that no other node has. */
export function addNode(
  definition: Definition,
  node: Omit<WorkflowNode, "id">,
): { definition: Definition; name: string } {
  const name = freshName(definition, node.name);
  const added: WorkflowNode = { ...node, id: crypto.randomUUID(), name };
  return { definition: { ...definition, nodes: [...definition.nodes, added] }, name };
}

/** Changes one node; its name stays, see [`renameNode`]. */
export function updateNode(
  definition: Definition,
  name: string,
  change: (node: WorkflowNode) => Partial<WorkflowNode>,
): Definition {
  const nodes = definition.nodes.map((node) => {
    if (node.name !== name) return node;
    const changed: WorkflowNode = { ...node, ...change(node), id: node.id, name };
    // A field that says nothing is no field: files stay as short as they were.
    for (const [field, value] of Object.entries(changed))
      if (value === undefined) Reflect.deleteProperty(changed, field);
    return changed;
  });
  return { ...definition, nodes };
}

export function setParameter(definition: Definition, name: string, parameter: string, value: unknown): Definition {
  return updateNode(definition, name, (node) => {
    const parameters = { ...node.parameters };
    if (value === undefined) Reflect.deleteProperty(parameters, parameter);
    else parameters[parameter] = value;
    return { parameters };
  });
}

/** Moves nodes to places. */
export function placeNodes(definition: Definition, places: ReadonlyMap<string, { x: number; y: number }>): Definition {
  const nodes = definition.nodes.map((node) => {
    const place = places.get(node.name);
    if (!place || (place.x === node.position[0] && place.y === node.position[1])) return node;
    return { ...node, position: [Math.round(place.x), Math.round(place.y)] as const };
  });
  return { ...definition, nodes };
}

/** Moves nodes by a distance. */
export function moveNodes(definition: Definition, names: ReadonlySet<string>, dx: number, dy: number): Definition {
  const moved = definition.nodes.filter((node) => names.has(node.name));
  return placeNodes(definition, new Map(moved.map(({ name, position: [x, y] }) => [name, { x: x + dx, y: y + dy }])));
}

/** Connects an output to an input; nothing changes where they are connected already. */
export function connect(definition: Definition, edge: Omit<Edge, "id">): Definition {
  const kinds = definition.connections[edge.source] ?? {};
  const outputs = [...(kinds[edge.kind] ?? [])];
  while (outputs.length <= edge.sourceIndex) outputs.push([]);
  const targets = outputs[edge.sourceIndex] ?? [];
  if (targets.some((target) => target.node === edge.target && target.index === edge.targetIndex)) return definition;
  outputs[edge.sourceIndex] = [...targets, { node: edge.target, type: edge.kind, index: edge.targetIndex }];
  return {
    ...definition,
    connections: { ...definition.connections, [edge.source]: { ...kinds, [edge.kind]: outputs } },
  };
}

/** Takes connections away. */
export function disconnect(definition: Definition, isGone: (edge: Omit<Edge, "id">) => boolean): Definition {
  const connections = mapTargets(definition.connections, (source, kind, sourceIndex, target) =>
    isGone({ source, kind, sourceIndex, target: target.node, targetIndex: target.index }) ? undefined : target,
  );
  return { ...definition, connections };
}

/** Gives a node another name, also where connections, pinned items and expressions of other nodes speak of it. */
export function renameNode(
  definition: Definition,
  from: string,
  wanted: string,
): { definition: Definition; name: string } {
  const name = wanted.trim();
  if (name === "" || name === from || !definition.nodes.some((node) => node.name === from))
    return { definition, name: from };
  const others = { ...definition, nodes: definition.nodes.filter((node) => node.name !== from) };
  const to = freshName(others, name);
  const nodes = definition.nodes.map((node) => {
    const parameters = renameReferences(node.parameters, from, to);
    if (node.name === from) return { ...node, name: to, parameters };
    return parameters === node.parameters ? node : { ...node, parameters };
  });
  const moved = mapTargets(definition.connections, (_source, _kind, _index, target) =>
    target.node === from ? { ...target, node: to } : target,
  );
  const renamed: Definition = { ...definition, nodes, connections: renameField(moved, from, to) };
  if (definition.pinData) renamed.pinData = renameField(definition.pinData, from, to);
  return { definition: renamed, name: to };
}

/** Takes nodes out. What led into one and out of it again, by its first ports, is joined, so that the rest still runs. */
export function removeNodes(definition: Definition, names: ReadonlySet<string>): Definition {
  let kept = definition;
  for (const name of names) kept = joinAround(kept, name);
  kept = disconnect(kept, (edge) => names.has(edge.source) || names.has(edge.target));
  const nodes = kept.nodes.filter((node) => !names.has(node.name));
  const removed: Definition = { ...kept, nodes };
  if (kept.pinData) removed.pinData = withoutFields(kept.pinData, names);
  return removed;
}

function joinAround(definition: Definition, name: string): Definition {
  const edges = edgesOf(definition).filter((edge) => edge.kind === MAIN && edge.source !== edge.target);
  const into = edges.filter((edge) => edge.target === name);
  const out = edges.filter((edge) => edge.source === name);
  const isSimple = out.every((edge) => edge.sourceIndex === 0) && into.every((edge) => edge.targetIndex === 0);
  if (!isSimple) return definition;
  let joined = definition;
  for (const before of into)
    for (const after of out)
      if (before.source !== after.target)
        joined = connect(joined, { ...before, target: after.target, targetIndex: after.targetIndex });
  return joined;
}

/** Puts a node into a connection: what led from one end to the other leads through it. */
export function insertInto(definition: Definition, edge: Omit<Edge, "id">, name: string): Definition {
  const without = disconnect(definition, (one) => isSameEdge(one, edge));
  const before = connect(without, { ...edge, target: name, targetIndex: 0 });
  return connect(before, { ...edge, source: name, sourceIndex: 0 });
}

export function isSameEdge(one: Omit<Edge, "id">, other: Omit<Edge, "id">): boolean {
  return (
    one.source === other.source &&
    one.kind === other.kind &&
    one.sourceIndex === other.sourceIndex &&
    one.target === other.target &&
    one.targetIndex === other.targetIndex
  );
}

/** Pins items to a node, or unpins it. */
export function setPins(definition: Definition, name: string, items: readonly unknown[] | undefined): Definition {
  const pinData = withoutFields(definition.pinData ?? {}, new Set([name]));
  if (items !== undefined) pinData[name] = items;
  const changed: Definition = { ...definition, pinData };
  if (Object.keys(pinData).length === 0) delete changed.pinData;
  return changed;
}

export function setDisabled(definition: Definition, names: ReadonlySet<string>, disabled: boolean): Definition {
  let changed = definition;
  for (const name of names) changed = updateNode(changed, name, () => ({ disabled: disabled ? true : undefined }));
  return changed;
}

function mapTargets(
  connections: Connections,
  map: (source: string, kind: string, sourceIndex: number, target: Target) => Target | undefined,
): Connections {
  const mapped: Record<string, Record<string, readonly (readonly Target[] | null)[]>> = {};
  for (const [source, kinds] of Object.entries(connections))
    for (const [kind, outputs] of Object.entries(kinds)) {
      const kept = outputs.map((targets, index) =>
        (targets ?? []).flatMap((target) => map(source, kind, index, target) ?? []),
      );
      // Empty outputs at the end say nothing.
      while (kept.at(-1)?.length === 0) kept.pop();
      if (kept.length > 0) (mapped[source] ??= {})[kind] = kept;
    }
  return mapped;
}

function renameField<V>(record: Readonly<Record<string, V>>, from: string, to: string): Record<string, V> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name === from ? to : name, value]));
}

function withoutFields<V>(record: Readonly<Record<string, V>>, names: ReadonlySet<string>): Record<string, V> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.has(name)));
}
