import { type Edge, MAIN, STICKY_NOTE, type WorkflowNode, isRecord } from "./definition";

/** What the catalogue says of a type, as far as ports need it. */
export interface TypePorts {
  role: string;
  inputs: number;
  outputs: number;
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

const LANGUAGE_MODEL = "ai_languageModel";
const EMBEDDING = "ai_embedding";
const OUTPUT_PARSER = "ai_outputParser";
const MEMORY = "ai_memory";
const TOOL = "ai_tool";
const DOCUMENT = "ai_document";
const SPLITTER = "ai_textSplitter";

/** What n8n's types are attached as, by how they are called: the catalogue tells that a type is a helper, but not yet of which kind. */
const SERVES: readonly [RegExp, readonly string[]][] = [
  [/\.lm[A-Z]/, [LANGUAGE_MODEL]],
  [/\.embeddings[A-Z]/, [EMBEDDING]],
  [/\.memory[A-Z]/, [MEMORY]],
  [/\.outputParser[A-Z]/, [OUTPUT_PARSER]],
  [/\.document[A-Z]/, [DOCUMENT]],
  [/\.textSplitter[A-Z]/, [SPLITTER]],
  [/\.vectorStore[A-Z]/, ["ai_vectorStore", TOOL]],
  [/\.retriever[A-Z]/, ["ai_retriever"]],
  [/\.reranker[A-Z]/, ["ai_reranker"]],
  [/\.tool[A-Z]|Tool$/, [TOOL]],
];

/** What can be attached to them. */
const TAKES: readonly [RegExp, readonly string[]][] = [
  [/langchain\.agent$/, [LANGUAGE_MODEL, MEMORY, TOOL, OUTPUT_PARSER]],
  [/langchain\.chainLlm$/, [LANGUAGE_MODEL, OUTPUT_PARSER]],
  [/langchain\.chainSummarization$/, [LANGUAGE_MODEL]],
  [/langchain\.(informationExtractor|textClassifier|sentimentAnalysis)$/, [LANGUAGE_MODEL]],
  [/langchain\.vectorStoreInMemory$/, [EMBEDDING, DOCUMENT]],
  [/langchain\.chatTrigger$/, [MEMORY]],
  [/langchain\.documentDefaultDataLoader$/, [SPLITTER]],
  [/^timeloom\.(embeddings|vectorStore)$/, [EMBEDDING]],
];

const WORDS: Readonly<Record<string, string>> = {
  [LANGUAGE_MODEL]: "model",
  [EMBEDDING]: "embedding",
  [MEMORY]: "memory",
  [OUTPUT_PARSER]: "output parser",
  [DOCUMENT]: "document",
  [SPLITTER]: "text splitter",
  [TOOL]: "tool",
  ai_vectorStore: "vector store",
  ai_retriever: "retriever",
  ai_reranker: "reranker",
};

/** A kind of connection in words. */
export function kindInWords(kind: string): string {
  return WORDS[kind] ?? kind.replace(/^ai_/, "").replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

export function servesOf(type: string): readonly string[] {
  return SERVES.find(([name]) => name.test(type))?.[1] ?? [];
}

export function takesOf(type: string): readonly string[] {
  return TAKES.find(([name]) => name.test(type))?.[1] ?? [];
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

/** The ports of a node: those of its type, those that its parameters ask for, and those that its connections use. */
export function portsOf(node: WorkflowNode, type: TypePorts | undefined, edges: readonly Edge[]): Ports {
  if (node.type === STICKY_NOTE) return { inputs: 0, outputs: [], takes: [], serves: [] };
  let inputs = type?.inputs ?? 1;
  let used = 0;
  const takes = new Set(takesOf(node.type));
  const serves = new Set(type === undefined || type.role === "HELPER" ? servesOf(node.type) : []);
  for (const edge of edges) {
    if (edge.kind === MAIN) {
      if (edge.target === node.name) inputs = Math.max(inputs, edge.targetIndex + 1);
      if (edge.source === node.name) used = Math.max(used, edge.sourceIndex + 1);
    } else {
      if (edge.target === node.name) takes.add(edge.kind);
      if (edge.source === node.name) serves.add(edge.kind);
    }
  }
  if (node.type === "n8n-nodes-base.merge" && typeof node.parameters.numberInputs === "number")
    inputs = Math.max(inputs, Math.min(10, node.parameters.numberInputs));
  return { inputs, outputs: outputsOf(node, type, used), takes: [...takes], serves: [...serves] };
}

function outputsOf(node: WorkflowNode, type: TypePorts | undefined, used: number): string[] {
  const names = namedOutputs(node);
  const count = Math.max(names?.length ?? type?.outputs ?? 1, used - (node.onError === "continueErrorOutput" ? 1 : 0));
  const outputs = Array.from({ length: count }, (_, place) => names?.[place] ?? (count > 1 ? String(place) : ""));
  if (node.onError === "continueErrorOutput" && count > 0) outputs.push("error");
  return outputs;
}

function namedOutputs(node: WorkflowNode): string[] | undefined {
  const { parameters } = node;
  switch (node.type) {
    case "n8n-nodes-base.if":
      return ["true", "false"];
    case "n8n-nodes-base.splitInBatches":
      return node.typeVersion >= 3 ? ["done", "loop"] : ["loop", "done"];
    case "n8n-nodes-base.compareDatasets":
      return ["in A only", "same", "different", "in B only"];
    case "@n8n/n8n-nodes-langchain.textClassifier":
      return labels(parameters.categories, "categories", "category");
    case "n8n-nodes-base.switch":
      return switchOutputs(node);
    case "n8n-nodes-base.webhook":
      return parameters.multipleMethods === true && Array.isArray(parameters.httpMethod)
        ? parameters.httpMethod.map(String)
        : undefined;
    default:
      return undefined;
  }
}

function switchOutputs({ parameters, typeVersion }: WorkflowNode): string[] {
  if (typeVersion < 3) return ["0", "1", "2", "3"];
  if (parameters.mode === "expression") {
    const count = typeof parameters.numberOutputs === "number" ? parameters.numberOutputs : 4;
    return Array.from({ length: Math.min(50, Math.max(1, count)) }, (_, place) => String(place));
  }
  const rules = labels(parameters.rules, "values", "outputKey") ?? ["0"];
  const options = isRecord(parameters.options) ? parameters.options : {};
  return options.fallbackOutput === "extra" ? [...rules, "else"] : rules;
}

/** The entries of a list of rules, by the label that each has. */
function labels(value: unknown, list: string, label: string): string[] | undefined {
  const entries = isRecord(value) ? value[list] : undefined;
  if (!Array.isArray(entries) || entries.length === 0) return undefined;
  return (entries as unknown[]).map((entry, place) => {
    const text = isRecord(entry) ? entry[label] : undefined;
    return typeof text === "string" && text !== "" ? text : String(place);
  });
}
