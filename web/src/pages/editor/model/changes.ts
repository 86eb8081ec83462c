import type { Definition } from "./definition";
import { edgesOf } from "./definition";
import { isSame } from "./merge";

/** The narrowest command that makes of one draft the other: events then say what was done. */
export type Step =
  | { kind: "none" }
  | { kind: "pins"; node: string; items: readonly unknown[] | undefined }
  | { kind: "settings"; settings: Readonly<Record<string, unknown>> }
  | { kind: "definition" };

export function stepBetween(saved: Definition, present: Definition): Step {
  const isRest = saved.name === present.name && isSame(saved.nodes, present.nodes) && hasSameEdges(saved, present);
  if (!isRest) return { kind: "definition" };
  const hasSettings = !isSame(saved.settings ?? {}, present.settings ?? {});
  const names = new Set([...Object.keys(saved.pinData ?? {}), ...Object.keys(present.pinData ?? {})]);
  const pinned = [...names].filter((name) => !isSame(saved.pinData?.[name], present.pinData?.[name]));
  const [node] = pinned;
  if (hasSettings)
    return pinned.length === 0 ? { kind: "settings", settings: present.settings ?? {} } : { kind: "definition" };
  if (node === undefined) return { kind: "none" };
  return pinned.length === 1 ? { kind: "pins", node, items: present.pinData?.[node] } : { kind: "definition" };
}

function hasSameEdges(one: Definition, other: Definition): boolean {
  const ids = (definition: Definition) => edgesOf(definition).map((edge) => edge.id);
  return isSame(ids(one).sort(), ids(other).sort());
}

/** What is other, in words, for those who have to choose between two drafts. */
export function changesInWords(before: Definition, after: Definition): string[] {
  const words: string[] = [];
  const old = new Map(before.nodes.map((node) => [node.id, node]));
  const now = new Map(after.nodes.map((node) => [node.id, node]));
  if (before.name !== after.name) words.push(`called “${after.name}”`);
  for (const [id, node] of now) {
    const was = old.get(id);
    if (!was) words.push(`added “${node.name}”`);
    else if (was.name !== node.name) words.push(`renamed “${was.name}” to “${node.name}”`);
    else if (!isSame({ ...was, position: 0 }, { ...node, position: 0 })) words.push(`changed “${node.name}”`);
    else if (!isSame(was.position, node.position)) words.push(`moved “${node.name}”`);
  }
  for (const [id, node] of old) if (!now.has(id)) words.push(`removed “${node.name}”`);
  if (!hasSameEdges(before, after)) words.push("changed connections");
  if (!isSame(before.settings ?? {}, after.settings ?? {})) words.push("changed the settings");
  if (!isSame(before.pinData ?? {}, after.pinData ?? {})) words.push("changed pinned items");
  return words;
}
