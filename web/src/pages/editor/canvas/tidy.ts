import { layOut } from "@/ui";
import { type Definition, MAIN, STICKY_NOTE, edgesOf } from "../model/definition";
import type { CardNode } from "./graph";

/** Helpers go beneath the node that they serve, so far apart. */
const HELPER_X = 120;
const HELPER_Y = 130;
const GRID = 20;

/** Places for all nodes along their connections. Notes stay where they are. */
export async function tidy(
  definition: Definition,
  cards: readonly CardNode[],
): Promise<Map<string, { x: number; y: number }>> {
  const edges = edgesOf(definition);
  const hosts = new Map<string, string>();
  for (const edge of edges) if (edge.kind !== MAIN && !hosts.has(edge.source)) hosts.set(edge.source, edge.target);
  const isHelper = (name: string) =>
    hosts.has(name) && !edges.some((edge) => edge.kind === MAIN && edge.target === name);
  const rows = cards.filter((card) => card.data.node.type !== STICKY_NOTE && !isHelper(card.id));
  const names = new Set(rows.map((card) => card.id));
  const laid = await layOut(
    rows.map((card) => ({
      id: card.id,
      width: card.width ?? 0,
      height: (card.height ?? 0) + helpersBelow(card.id, hosts),
    })),
    edges.filter(
      (edge) => edge.kind === MAIN && names.has(edge.source) && names.has(edge.target) && edge.source !== edge.target,
    ),
  );
  const places = new Map([...laid].map(([name, { x, y }]) => [name, { x: snap(x), y: snap(y) }]));
  for (const host of rows) placeHelpers(host.id, hosts, places);
  return places;
}

function helpersBelow(name: string, hosts: ReadonlyMap<string, string>): number {
  return [...hosts.values()].includes(name) ? HELPER_Y : 0;
}

function placeHelpers(
  host: string,
  hosts: ReadonlyMap<string, string>,
  places: Map<string, { x: number; y: number }>,
): void {
  const at = places.get(host);
  const helpers = [...hosts].flatMap(([helper, served]) => (served === host ? [helper] : []));
  for (const [place, helper] of helpers.entries()) {
    if (!at || places.has(helper)) continue;
    const x = at.x + (place - (helpers.length - 1) / 2) * HELPER_X;
    places.set(helper, { x: snap(x), y: at.y + HELPER_Y });
    placeHelpers(helper, hosts, places);
  }
}

function snap(value: number): number {
  return Math.round(value / GRID) * GRID;
}
