import { useMemo } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import type { EditorCatalogueQuery } from "@/gql/graphql";
import { EditorCatalogue } from "./documents";
import { servesOf } from "./model/ports";

export type NodeType = EditorCatalogueQuery["nodeCatalogue"][number];
export type Parameter = NodeType["parameters"][number];

export interface Catalogue {
  types: readonly NodeType[];
  of: (type: string) => NodeType | undefined;
}

/** The node types that the server runs. They stay the same for as long as it runs. */
export function useCatalogue() {
  const [{ data, error }, again] = useQuery({ query: EditorCatalogue, requestPolicy: "cache-first" });
  const catalogue = useMemo((): Catalogue | undefined => {
    if (!data) return undefined;
    const byType = new Map(data.nodeCatalogue.map((type) => [type.type, type]));
    return { types: data.nodeCatalogue, of: (type) => byType.get(type) };
  }, [data]);
  return { catalogue, fault: error && !data ? faultOf(error) : undefined, retry: again };
}

export const GROUPS = ["Triggers", "Flow", "Data", "HTTP", "Files", "AI", "Parts of agents", "Notes"] as const;
export type Group = (typeof GROUPS)[number];

const FLOW =
  /\.(if|switch|merge|filter|wait|noOp|stopAndError|splitInBatches|executeWorkflow|form|limit|respondToWebhook|executionData)$/;
const HTTP = /\.(httpRequest|graphql|rssFeedRead)$/;
const FILES = /\.(compression|convertToFile|extractFromFile|editImage|moveBinaryData|spreadsheetFile)$/;
/** Types that newer ones took the place of: they are found when they are searched for, below all others. */
const OLD = /\.(function|functionItem|cron|interval|start|htmlExtract|itemLists|spreadsheetFile|moveBinaryData)$/;

export function groupOf(type: NodeType): Group {
  if (type.role === "TRIGGER" || type.role === "MANUAL_TRIGGER") return "Triggers";
  if (type.role === "HELPER") return "Parts of agents";
  if (type.role === "ANNOTATION") return "Notes";
  if (FLOW.test(type.type)) return "Flow";
  if (HTTP.test(type.type)) return "HTTP";
  if (FILES.test(type.type)) return "Files";
  return type.type.startsWith("n8n-nodes-base.") ? "Data" : "AI";
}

export function isOld(type: NodeType): boolean {
  return OLD.test(type.type);
}

/** Whether it can be attached as this kind of helper. */
export function canServe(type: NodeType, kind: string): boolean {
  return servesOf(type.type).includes(kind);
}

export function newestVersion(type: NodeType): number {
  return type.versions.at(-1) ?? 1;
}
