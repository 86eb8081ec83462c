import { isRecord } from "@/parts/records";
import { useEffect, useState } from "react";
import { client } from "@/api";
import { ExecutionEarlierRuns } from "../documents";
import { ancestorOf, earlierRunsOf } from "../history/facts";
import type { History } from "../history/history";
import { useSource } from "../source";

/** A node run in the state of an execution: this one, or one that it goes on from. */
export interface RunPlace {
  executionId: string;
  /** Revision as of which it is looked at; absent = the newest. */
  revision: number | undefined;
  /** JSON Pointer of the run in the state. */
  path: string;
}

export interface Source {
  node: string;
  output: number;
  runIndex: number;
}

/** Where inputs came from, as a state tells it. */
export function sourcesOf(run: unknown): (Source | undefined)[] {
  if (!isRecord(run) || !Array.isArray(run.sources)) return [];
  return (run.sources as unknown[]).map((source) => {
    if (!isRecord(source) || typeof source.previousNode !== "string") return undefined;
    const { previousNodeOutput: output, previousNodeRun: runIndex } = source;
    return {
      node: source.previousNode,
      output: typeof output === "number" ? output : 0,
      runIndex: typeof runIndex === "number" ? runIndex : 0,
    };
  });
}

/** Where a run of this execution is in its state; nothing when it ran in an earlier execution. */
export function ownPlace(id: string, history: History, node: string, runIndex: number, revision: number) {
  const run = history.runOf(node, runIndex);
  if (!run || run.executionIndex < history.earlierRuns) return undefined;
  const place: RunPlace = { executionId: id, revision, path: `/node_runs/${run.executionIndex - history.earlierRuns}` };
  return place;
}

const LINKS_MAX = 16;
const PAGES_MAX = 200;

interface Link {
  id: string;
  revision: number | undefined;
}

/** Finds a run in the executions that this one goes on from. */
export async function locate(id: string, node: string, runIndex: number): Promise<RunPlace | undefined> {
  let link: Link | undefined = { id, revision: undefined };
  for (let depth = 0; link && depth < LINKS_MAX; depth += 1) {
    const looked: { place?: RunPlace; before?: Link } = await lookIn(link, node, runIndex);
    if (looked.place) return looked.place;
    link = looked.before;
  }
  return undefined;
}

/** Looks for a run in one execution, the newest first; tells from which one it goes on. */
async function lookIn(
  { id, revision }: Link,
  node: string,
  runIndex: number,
): Promise<{ place?: RunPlace; before?: Link }> {
  const asOf = revision === undefined ? undefined : { revision };
  let before: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { data } = await client.query(ExecutionEarlierRuns, { id, asOf, last: 100, before }).toPromise();
    const execution = data?.execution;
    if (!execution) return {};
    const [first] = execution.beginning.nodes;
    const found = execution.nodeRuns.nodes.find((run) => run.node === node && run.runIndex === runIndex);
    if (found) {
      const own = found.executionIndex - earlierRunsOf(first?.payload);
      return { place: { executionId: id, revision, path: `/node_runs/${own}` } };
    }
    const { hasPreviousPage, startCursor } = execution.nodeRuns.pageInfo;
    if (!hasPreviousPage || typeof startCursor !== "string")
      return { before: first && ancestorOf(first.type, first.payload) };
    before = startCursor;
  }
  return {};
}

/** Where a run is, wherever it ran; `undefined` while it is looked for. */
export function usePlace(
  own: RunPlace | undefined,
  node: string | undefined,
  runIndex: number,
): RunPlace | "nowhere" | undefined {
  const key = own || node === undefined ? undefined : JSON.stringify([node, runIndex]);
  const source = useSource();
  const [found, setFound] = useState<{ key: string; place: RunPlace | "nowhere" } | undefined>();
  useEffect(() => {
    if (key === undefined || node === undefined) return undefined;
    let isGone = false;
    void source.locate(node, runIndex).then((place) => {
      if (!isGone) setFound({ key, place: place ?? "nowhere" });
    });
    return () => {
      isGone = true;
    };
  }, [key, source, node, runIndex]);
  if (own) return own;
  return found?.key === key ? found?.place : undefined;
}
