import { isRecord } from "@/parts/records";
/** A node as a workflow file has it. Fields that this page does not know stay as they are. */
export interface WorkflowNode {
  id: string;
  name: string;
  type: string;
  typeVersion: number;
  position: readonly [number, number];
  parameters: Readonly<Record<string, unknown>>;
  disabled?: boolean;
  notes?: string;
  credentials?: Readonly<Record<string, CredentialReference>>;
  webhookId?: string;
  onError?: string;
  retryOnFail?: boolean;
  maxTries?: number;
  waitBetweenTries?: number;
  timeoutSeconds?: number;
  executeOnce?: boolean;
  alwaysOutputData?: boolean;
}

export interface CredentialReference {
  id?: string | null;
  name: string;
}

export interface Target {
  node: string;
  type: string;
  index: number;
}

/** By the source's name, the kind of connection and the output: where it leads. */
export type Connections = Readonly<Record<string, Readonly<Record<string, readonly (readonly Target[] | null)[]>>>>;

/** A workflow file. It is never changed in place: each edit makes a new one that shares what stayed. */
export interface Definition {
  name: string;
  nodes: readonly WorkflowNode[];
  connections: Connections;
  settings?: Readonly<Record<string, unknown>>;
  pinData?: Readonly<Record<string, readonly unknown[]>>;
}

export interface Edge {
  id: string;
  source: string;
  sourceIndex: number;
  target: string;
  targetIndex: number;
  /** `main`, or the kind of helper, such as `ai_tool`. */
  kind: string;
}

export const MAIN = "main";
export const STICKY_NOTE = "n8n-nodes-base.stickyNote";
export const MANUAL_TRIGGER = "n8n-nodes-base.manualTrigger";

/** Reads what may be a workflow file, or a part of one as n8n copies it. `undefined` for anything else. */
export function readDefinition(value: unknown): Definition | undefined {
  if (!isRecord(value) || !Array.isArray(value.nodes)) return undefined;
  const nodes: WorkflowNode[] = [];
  for (const raw of value.nodes as unknown[]) {
    const node = readNode(raw);
    if (node === undefined) return undefined;
    nodes.push(node);
  }
  const definition: Definition = {
    name: typeof value.name === "string" ? value.name : "",
    nodes,
    connections: readConnections(value.connections),
  };
  if (isRecord(value.settings)) definition.settings = value.settings;
  if (isRecord(value.pinData)) {
    const lists = Object.entries(value.pinData).filter(([, items]) => Array.isArray(items));
    if (lists.length > 0) definition.pinData = Object.fromEntries(lists) as Record<string, unknown[]>;
  }
  return definition;
}

function readNode(raw: unknown): WorkflowNode | undefined {
  if (!isRecord(raw) || typeof raw.name !== "string" || typeof raw.type !== "string") return undefined;
  const [x, y] = Array.isArray(raw.position) ? (raw.position as unknown[]) : [];
  return {
    ...(raw as Partial<WorkflowNode>),
    id: typeof raw.id === "string" && raw.id !== "" ? raw.id : crypto.randomUUID(),
    name: raw.name,
    type: raw.type,
    typeVersion: typeof raw.typeVersion === "number" ? raw.typeVersion : 1,
    position: [typeof x === "number" ? x : 0, typeof y === "number" ? y : 0],
    parameters: isRecord(raw.parameters) ? raw.parameters : {},
  };
}

function readConnections(raw: unknown): Connections {
  const read: Record<string, Record<string, (Target[] | null)[]>> = {};
  for (const [source, kinds] of isRecord(raw) ? Object.entries(raw) : []) {
    for (const [kind, outputs] of isRecord(kinds) ? Object.entries(kinds) : []) {
      if (!Array.isArray(outputs)) continue;
      (read[source] ??= {})[kind] = (outputs as unknown[]).map((targets) =>
        Array.isArray(targets) ? (targets as unknown[]).flatMap(readTarget) : null,
      );
    }
  }
  return read;
}

function readTarget(raw: unknown): Target[] {
  if (!isRecord(raw) || typeof raw.node !== "string") return [];
  const type = typeof raw.type === "string" ? raw.type : MAIN;
  return [{ node: raw.node, type, index: typeof raw.index === "number" ? raw.index : 0 }];
}

export function nodeNamed(definition: Definition, name: string | undefined): WorkflowNode | undefined {
  return definition.nodes.find((node) => node.name === name);
}

/** All connections, those of one node together. */
export function edgesOf(definition: Definition): Edge[] {
  const edges: Edge[] = [];
  for (const [source, kinds] of Object.entries(definition.connections))
    for (const [kind, outputs] of Object.entries(kinds))
      for (const [sourceIndex, targets] of outputs.entries())
        for (const { node: target, index: targetIndex } of targets ?? []) {
          const edge = { source, sourceIndex, target, targetIndex, kind };
          edges.push({ id: edgeId(edge), ...edge });
        }
  return edges;
}

export function edgeId(edge: Omit<Edge, "id">): string {
  return JSON.stringify([edge.source, edge.kind, edge.sourceIndex, edge.target, edge.targetIndex]);
}

/** A name that no node has: the wanted one, or that with a number, as n8n gives them. */
export function freshName(definition: Definition, wanted: string, alsoTaken: ReadonlySet<string> = new Set()): string {
  const isTaken = (name: string) => alsoTaken.has(name) || definition.nodes.some((node) => node.name === name);
  if (!isTaken(wanted)) return wanted;
  const base = wanted.replace(/\d+$/, "");
  let number = 1;
  while (isTaken(`${base}${number}`)) number += 1;
  return `${base}${number}`;
}

/** A workflow that can be run at once: one node that starts it. */
export function newDefinition(): Definition {
  const start: WorkflowNode = {
    id: crypto.randomUUID(),
    name: "Start",
    type: MANUAL_TRIGGER,
    typeVersion: 1,
    position: [0, 0],
    parameters: {},
  };
  return { name: "New workflow", nodes: [start], connections: {}, settings: { executionOrder: "v1" } };
}
