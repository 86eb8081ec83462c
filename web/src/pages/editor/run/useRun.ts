import { useCallback, useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { client, useLastWrite, useLive } from "@/api";
import type { EditorRunQuery } from "@/gql/graphql";
import { EditorRun, EditorRunEvents, EditorRuns } from "../documents";
import { type NodeRunFact, type NodeStates, afterEvent, statesOf } from "./states";

export interface RunShown {
  id: string;
  status: string;
  startedAt: string | undefined;
  endedAt: string | undefined;
  errorMessage: string | undefined;
  errorNode: string | undefined;
  runs: readonly NodeRunFact[];
  states: NodeStates;
}

const ENDED = new Set(["COMPLETED", "FAILED", "CANCELLED", "CONTINUED"]);
/** Runs of nodes that are held; of longer executions the debugger shows all. */
const RUNS_MAX = 2_000;
/** So often at most the runs are read again while events come. */
const READS_AFTER_MS = 300;

/** The execution that is shown beside the draft, and how its nodes stand while it goes on. */
export function useRun(id: string | undefined): { run: RunShown | undefined; isUnderWay: boolean; isGone: boolean } {
  const [run, setRun] = useState<RunShown>();
  const [gone, setGone] = useState<string>();
  const latest = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const read = useCallback((wanted: string, waitFor: string | undefined) => {
    const turn = (latest.current += 1);
    void readRun(wanted, waitFor).then((found) => {
      if (turn !== latest.current) return;
      if (found) setRun(found);
      else setGone(wanted);
    });
  }, []);
  useEffect(() => {
    if (id !== undefined) read(id, undefined);
    return () => clearTimeout(timer.current);
  }, [id, read]);
  const shown = run?.id === id ? run : undefined;
  const isUnderWay = shown !== undefined && !ENDED.has(shown.status);
  useLive(
    EditorRunEvents,
    { id: id ?? "" },
    ({ execution: { position, type, status, payload } }) => {
      setRun((before) =>
        before !== undefined && before.id === id
          ? { ...before, status, states: afterEvent(before.states, type, payload) }
          : before,
      );
      if (timer.current !== undefined && !ENDED.has(status)) return;
      clearTimeout(timer.current);
      timer.current = setTimeout(
        () => {
          timer.current = undefined;
          if (id !== undefined) read(id, position);
        },
        ENDED.has(status) ? 0 : READS_AFTER_MS,
      );
    },
    { position: (data) => data.execution.position, enabled: isUnderWay },
  );
  return { run: shown, isUnderWay, isGone: gone === id && id !== undefined };
}

async function readRun(id: string, waitFor: string | undefined): Promise<RunShown | undefined> {
  const runs: NodeRunFact[] = [];
  let execution: EditorRunQuery["execution"] | undefined;
  let after: string | null | undefined;
  do {
    const { data } = await client
      .query(EditorRun, { id, after, waitFor }, { requestPolicy: "network-only" })
      .toPromise();
    execution = data?.execution;
    if (!execution) return undefined;
    runs.push(...execution.nodeRuns.nodes);
    after = execution.nodeRuns.pageInfo.hasNextPage ? execution.nodeRuns.pageInfo.endCursor : undefined;
  } while (after && runs.length < RUNS_MAX);
  return {
    id,
    status: execution.status,
    startedAt: execution.startedAt ?? undefined,
    endedAt: execution.endedAt ?? undefined,
    errorMessage: execution.errorMessage ?? undefined,
    errorNode: execution.errorNode ?? undefined,
    runs,
    states: statesOf(runs),
  };
}

/** The newest executions of a workflow. */
export function useRuns(workflowId: string | undefined) {
  const waitFor = useLastWrite();
  const [{ data }, again] = useQuery({
    query: EditorRuns,
    variables: { id: workflowId ?? "", waitFor },
    pause: workflowId === undefined,
  });
  return { runs: data?.executions.nodes ?? [], isKnown: data !== undefined, again };
}
