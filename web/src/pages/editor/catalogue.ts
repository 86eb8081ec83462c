import { useEffect, useMemo, useState } from "react";
import { useQuery } from "urql";
import { type Fault, client, faultOf } from "@/api";
import type { EditorCatalogueQuery, EditorParameterFieldsFragment } from "@/gql/graphql";
import type { NodeGroup } from "@/gql/schema";
import { EditorCatalogue, EditorParameters, EditorPorts } from "./documents";
import type { Definition, WorkflowNode } from "./model/definition";
import type { ToldPorts } from "./model/ports";

type ToldType = EditorCatalogueQuery["nodeCatalogue"][number];

/** A parameter of a node, or a field within one. */
export interface Parameter extends EditorParameterFieldsFragment {
  fields?: readonly Parameter[] | null;
  sections?: readonly Section[] | null;
}

/** A part of a list. */
export interface Section {
  key: string;
  label: string;
  many: boolean;
  fields: readonly Parameter[];
}

export interface NodeType extends ToldType {
  /** The ports of that very node, once they were told. */
  portsFor?: (node: WorkflowNode) => ToldPorts | undefined;
}

export interface Catalogue {
  types: readonly NodeType[];
  of: (type: string) => NodeType | undefined;
}

/** The node types that the server runs. They stay the same for as long as it runs. */
export function useCatalogue() {
  const [{ data, error }, again] = useQuery({ query: EditorCatalogue, requestPolicy: "cache-first" });
  const catalogue = useMemo(() => data && catalogueOf(data.nodeCatalogue), [data]);
  return { catalogue, fault: error && !data ? faultOf(error) : undefined, retry: again };
}

const NO_PARAMETERS: readonly Parameter[] = [];

interface Told {
  parameters: readonly Parameter[] | undefined;
  fault: Fault | undefined;
  retry: () => void;
}

/** What can be set of nodes of a type: absent until it is told, empty for a type that the server does not know. */
export function useParameters(type: string): Told {
  const [{ data, error, fetching }, again] = useQuery({
    query: EditorParameters,
    variables: { type },
    requestPolicy: "cache-first",
  });
  // While another type is asked for, what is here may still be told of the one before.
  const known = fetching ? undefined : data?.nodeCatalogue;
  return {
    parameters: known && (known[0]?.parameters ?? NO_PARAMETERS),
    fault: error && !data ? faultOf(error) : undefined,
    retry: again,
  };
}

function catalogueOf(types: readonly NodeType[]): Catalogue {
  const byType = new Map(types.map((type) => [type.type, type]));
  return { types, of: (type) => byType.get(type) };
}

/** The groups of the palette, in the order in which they stand there. */
export const GROUPS: Readonly<Record<NodeGroup, string>> = {
  TRIGGERS: "Triggers",
  FLOW: "Flow",
  DATA: "Data",
  HTTP_AND_FILES: "HTTP and files",
  DATABASES: "Databases",
  AI: "AI",
  AI_PARTS: "Parts of agents",
  OLDER: "Older",
};

export function newestVersion(type: Pick<NodeType, "versions">): number {
  return type.versions.at(-1) ?? 1;
}

/** While somebody writes, the ports that were told before stay for so long. */
const ASKS_AFTER_MS = 200;

/**
 * The catalogue with the ports of the nodes of a definition, which may rest on their parameters. Each is asked for once;
 * until it is told, a node has the ports that it had before.
 */
export function useCatalogueFor(definition: Definition, catalogue: Catalogue): Catalogue {
  const [told, setTold] = useState<ReadonlyMap<string, ToldPorts>>(new Map());
  const [last] = useState(() => new Map<string, ToldPorts>());
  const missing = definition.nodes.filter((node) => {
    const type = catalogue.of(node.type);
    return type !== undefined && mayVary(type, node) && !told.has(portsKey(node));
  });
  const wanted = [...new Set(missing.map(portsKey))].join("\n");
  useEffect(() => {
    if (wanted === "") return undefined;
    let isGone = false;
    const ask = async () => {
      const answers = await Promise.all(wanted.split("\n").map(askPorts));
      const known = answers.filter((answer) => answer !== undefined);
      if (!isGone && known.length > 0) setTold((before) => new Map([...before, ...known]));
    };
    const timer = setTimeout(() => void ask(), told.size === 0 ? 0 : ASKS_AFTER_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [wanted, told.size]);
  return useMemo(() => {
    if (told.size === 0) return catalogue;
    const portsFor = (node: WorkflowNode) => {
      const ports = told.get(portsKey(node));
      if (ports) last.set(node.id, ports);
      return ports ?? last.get(node.id);
    };
    return catalogueOf(catalogue.types.map((type) => ({ ...type, portsFor })));
  }, [catalogue, told, last]);
}

/** Whether a node may have other ports than its type has with its defaults. */
function mayVary(type: NodeType, node: WorkflowNode): boolean {
  const isDefault = node.typeVersion === newestVersion(type) && Object.keys(node.parameters).length === 0;
  // A helper that takes nothing is attached in one way alone; what runs by itself may do so, or be attached.
  const { serves, takes } = type.helperPorts;
  const isAttached = takes.length > 0 || (serves.length > 0 && type.role !== "HELPER");
  return !isDefault && (type.portsVary !== null || isAttached);
}

const KEYS = new WeakMap<WorkflowNode["parameters"], string>();

/** Parameters are never changed in place, so that they are written out once. */
function portsKey(node: WorkflowNode): string {
  const known = KEYS.get(node.parameters);
  const parameters = known ?? JSON.stringify(node.parameters);
  if (known === undefined) KEYS.set(node.parameters, parameters);
  return `[${JSON.stringify(node.type)},${node.typeVersion},${parameters}]`;
}

async function askPorts(key: string): Promise<[string, ToldPorts] | undefined> {
  const [type, typeVersion, parameters] = JSON.parse(key) as [string, number, unknown];
  const { data } = await client
    .query(EditorPorts, { type, typeVersion, parameters }, { requestPolicy: "cache-first" })
    .toPromise();
  const ports = data?.nodeCatalogue[0];
  return ports && [key, ports];
}
