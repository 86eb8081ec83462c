import { type Outcome, type UserError, change, client } from "@/api";
import type { ReplayReportFragment, ReplayStartMutation } from "@/gql/graphql";
import { ReplayOne, ReplayStart } from "./documents";

/** How long one question waits for the report; then it is asked again. */
const WAIT_MS = 60_000;
const AGAIN_MS = 1_000;

export type Replayed = { report: ReplayReportFragment } | { errors: readonly UserError[] } | undefined;

/** Runs the last executions, and the test cases, again under the draft, without touching the world, and waits for what came of it. */
export async function replayUnderDraft(workflowId: string, last: number, signal: AbortSignal): Promise<Replayed> {
  const outcome: Outcome<ReplayStartMutation["startReplayCheck"]> = await change(
    ReplayStart,
    { input: { workflowId, against: { draft: true }, last, testCases: true, timeoutMs: WAIT_MS, executionIds: [] } },
    { payload: (data) => data.startReplayCheck, failed: "The executions were not run again", quiet: true },
  );
  if (outcome.kind === "fault") return undefined;
  if (outcome.kind !== "done") return { errors: outcome.errors };
  const check = outcome.payload.replayCheck;
  return check ? { report: await ended(check, signal) } : undefined;
}

/** Waits for the report of a check that takes longer than one question. */
async function ended(check: ReplayReportFragment, signal: AbortSignal): Promise<ReplayReportFragment> {
  let now = check;
  while (now.status === "REQUESTED" && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    const { data } = await client.query(ReplayOne, { id: check.id }, { requestPolicy: "network-only" }).toPromise();
    if (!data?.replayCheck) return now;
    now = data.replayCheck;
  }
  return now;
}
