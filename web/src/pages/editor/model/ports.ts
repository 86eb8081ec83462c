import { type Edge, MAIN, STICKY_NOTE, type WorkflowNode } from "./definition";

/** How a node meets others, as the server tells it. */
export interface ToldPorts {
  ports: { inputs: number; outputs: number; outputNames: readonly string[] };
  helperPorts: { serves: readonly string[]; takes: readonly { kind: string }[] };
}

/** What the catalogue says of a type, as far as ports need it: those of its newest version with its defaults. */
export interface TypePorts extends ToldPorts {
  /** Those of that very node, once they were told. */
  portsFor?: (node: WorkflowNode) => ToldPorts | undefined;
}

export interface Ports {
  /** How many main inputs there are. */
  inputs: number;
  /** What each main output is called; empty where there is but one. */
  outputs: string[];
  /** Kinds of helpers that are or can be attached. */
  takes: string[];
  /** As what it is attached to others. */
  serves: string[];
}

/** A kind of connection in words. */
export function kindInWords(kind: string): string {
  if (kind === "ai_languageModel") return "model";
  return kind.replace(/^ai_/, "").replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** The connections of each node, so that they are looked through once for all. */
export function edgesByNode(edges: readonly Edge[]): ReadonlyMap<string, readonly Edge[]> {
  const byNode = new Map<string, Edge[]>();
  for (const edge of edges)
    for (const name of new Set([edge.source, edge.target])) {
      const known = byNode.get(name);
      if (known) known.push(edge);
      else byNode.set(name, [edge]);
    }
  return byNode;
}

/** The ports of a node: those that the server tells, and those that its connections use. */
export function portsOf(node: WorkflowNode, type: TypePorts | undefined, edges: readonly Edge[]): Ports {
  if (node.type === STICKY_NOTE) return { inputs: 0, outputs: [], takes: [], serves: [] };
  const told: ToldPorts | undefined = type?.portsFor?.(node) ?? type;
  // Of a type that is not known here, nothing but the connections is known; it is taken for a node like most.
  let inputs = told?.ports.inputs ?? 1;
  let used = 0;
  const takes = new Set(told?.helperPorts.takes.map(({ kind }) => kind));
  const serves = new Set(told?.helperPorts.serves);
  for (const edge of edges) {
    if (edge.kind === MAIN) {
      if (edge.target === node.name) inputs = Math.max(inputs, edge.targetIndex + 1);
      if (edge.source === node.name) used = Math.max(used, edge.sourceIndex + 1);
    } else {
      if (edge.target === node.name) takes.add(edge.kind);
      if (edge.source === node.name) serves.add(edge.kind);
    }
  }
  const isOnlyHelper = told === undefined && serves.size > 0 && used === 0;
  const outputs = isOnlyHelper ? [] : outputsOf(node, told?.ports, used);
  return { inputs: isOnlyHelper ? 0 : inputs, outputs, takes: [...takes], serves: [...serves] };
}

function outputsOf(node: WorkflowNode, told: ToldPorts["ports"] | undefined, used: number): string[] {
  const hasError = node.onError === "continueErrorOutput";
  const count = Math.max(told?.outputs ?? 1, used - (hasError ? 1 : 0));
  const nameOf = (place: number) => {
    const name = told?.outputNames[place] ?? "";
    return name === "" ? String(place) : name;
  };
  const outputs = Array.from({ length: count }, (_, place) => (count > 1 ? nameOf(place) : ""));
  if (hasError && count > 0) outputs.push("error");
  return outputs;
}
