import { isRecord } from "@/parts/records";
import { useEffect, useMemo, useState } from "react";
import { client } from "@/api";
import { EditorItems } from "../documents";
import { type Definition, MAIN, edgesOf } from "../model/definition";
import { nodesBefore } from "../model/walk";
import { type ShownRun, useDraftState, useEditor } from "../state/editor";
import type { Sight } from "./completion";

/** So many nodes before one are looked at for suggestions. */
const NODES_MAX = 12;

/** An output of a node's run: from which run, and which output. */
export interface OutputOf {
  id: string;
  node: string;
  output: number;
}

/** Where a node's input came from in a run, or where it would come from. */
export function inputOf(definition: Definition, run: ShownRun | undefined, name: string): OutputOf | undefined {
  if (!run) return undefined;
  const own = run.runs.filter((one) => one.node === name).at(-1);
  const [source] = Array.isArray(own?.sources) ? (own.sources as unknown[]) : [];
  if (isRecord(source) && typeof source.previousNode === "string") {
    const runIndex = typeof source.previousNodeRun === "number" ? source.previousNodeRun : 0;
    const before = run.runs.find((one) => one.node === source.previousNode && one.runIndex === runIndex);
    const output = typeof source.previousNodeOutput === "number" ? source.previousNodeOutput : 0;
    if (before) return { id: before.id, node: before.node, output };
  }
  for (const edge of edgesOf(definition)) {
    if (edge.target !== name || edge.kind !== MAIN) continue;
    const before = run.runs.filter((one) => one.node === edge.source).at(-1);
    if (before) return { id: before.id, node: before.node, output: edge.sourceIndex };
  }
  return undefined;
}

/** The items of an output, as a run gave them. */
export function itemsOf(output: unknown, index: number): unknown[] {
  const items = Array.isArray(output) ? (output as unknown[])[index] : undefined;
  return Array.isArray(items) ? (items as unknown[]) : [];
}

/** The data of an item. */
export function jsonOf(item: unknown): unknown {
  return isRecord(item) ? (item.json ?? item) : undefined;
}

/** What a node gave in a run: asked for once, then kept. */
export async function outputOf(id: string): Promise<unknown> {
  const { data } = await client.query(EditorItems, { id }, { requestPolicy: "cache-first" }).toPromise();
  return data?.node && "output" in data.node ? data.node.output : undefined;
}

/** What expressions of a node see, by the items of the shown run and those that are pinned. */
export function useSight(name: string, isWanted: boolean): Sight {
  const { run } = useEditor();
  const definition = useDraftState().history.present;
  const before = useMemo(() => nodesBefore(definition, name).slice(0, NODES_MAX), [definition, name]);
  const [found, setFound] = useState<{ key: string; json: unknown; nodes: ReadonlyMap<string, unknown> }>();
  const input = inputOf(definition, run, name);
  const wanted = before.flatMap((node) => {
    const own = run?.runs.filter((one) => one.node === node && one.status === "COMPLETED").at(-1);
    return own ? [{ node, id: own.id }] : [];
  });
  const key = JSON.stringify([input, wanted]);
  useEffect(() => {
    if (!isWanted) return undefined;
    let isGone = false;
    const read = async () => {
      const [source, nodes] = JSON.parse(key) as [OutputOf | null, { node: string; id: string }[]];
      const json = source ? jsonOf(itemsOf(await outputOf(source.id), source.output)[0]) : undefined;
      const outputs = await Promise.all(
        nodes.map(async ({ node, id }) => [node, firstJson(await outputOf(id))] as const),
      );
      if (!isGone) setFound({ key, json, nodes: new Map(outputs) });
    };
    void read();
    return () => {
      isGone = true;
    };
  }, [key, isWanted]);
  return useMemo(() => {
    const known = found?.key === key ? found : undefined;
    const pinned = (node: string | undefined) =>
      node === undefined ? undefined : jsonOf(definition.pinData?.[node]?.[0]);
    const nodes = before.map((node) => ({ name: node, json: known?.nodes.get(node) ?? pinned(node) }));
    return { json: known?.json ?? pinned(input?.node ?? before[0]), nodes };
  }, [found, key, definition, before, input?.node]);
}

function firstJson(output: unknown): unknown {
  if (!Array.isArray(output)) return undefined;
  for (const index of output.keys()) {
    const [first] = itemsOf(output, index);
    if (first !== undefined) return jsonOf(first);
  }
  return undefined;
}
