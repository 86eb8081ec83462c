import { change, client, faultOf, graphql, lastWrite } from "@/api";
import type { ExecutionRowFragment } from "@/gql/graphql";
import type { RetryFrom, RetryVersion } from "@/gql/schema";
import { Cancel, Dismiss, Resume, Retry, Unpause } from "./execution-documents";
import type { One } from "./run-all";

export const ExecutionRow = graphql(`
  fragment ExecutionRow on Execution {
    id
    status
    mode
    startedAt
    endedAt
    trigger
    errorMessage
    errorNode
    errorFingerprint
    unresolved
    dismissed
    retriedAs
    workflowId
    workflowVersion
    workflow {
      name
    }
    waiting {
      node
      until
      resumeUrl
    }
    paused {
      kind
      node
      reason
    }
  }
`);

export type ExecutionRow = ExecutionRowFragment;

const UnresolvedOfCause = graphql(`
  query UnresolvedOfCause($fingerprint: String!, $workflow: UUID, $after: String, $waitFor: Position) {
    executions(
      errorFingerprint: $fingerprint
      workflowId: $workflow
      unresolved: true
      first: 100
      after: $after
      waitFor: $waitFor
    ) {
      nodes {
        ...ExecutionRow
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const ExecutionAnew = graphql(`
  query ExecutionAnew($id: UUID!, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      ...ExecutionRow
    }
  }
`);

export type ExecutionAction = "retry" | "cancel" | "dismiss" | "resume" | "unpause";

/** How it is done, where there is a choice. */
export interface HowToAct {
  from: RetryFrom;
  version: RetryVersion;
  reason: string;
}

export const PLAINLY: HowToAct = { from: "FAILED_NODE", version: "SAME", reason: "" };

const UNDER_WAY = new Set(["NEW", "RUNNING", "WAITING", "PAUSED"]);

/** Whether it can be done to an execution as it is. The server has the last word. */
export function canAct(action: ExecutionAction, row: Pick<ExecutionRow, "status" | "unresolved">): boolean {
  switch (action) {
    case "retry":
      return row.status === "FAILED" || row.status === "CANCELLED";
    case "cancel":
      return UNDER_WAY.has(row.status);
    case "dismiss":
      return row.unresolved;
    case "resume":
      return row.status === "WAITING";
    case "unpause":
      return row.status === "PAUSED";
  }
}

/** Does it to one execution. Refusals are answered, not said. */
export async function act(action: ExecutionAction, executionId: string, how: HowToAct): Promise<One> {
  const outcome = await send(action, executionId, how);
  if (outcome.kind === "done") return { kind: "done" };
  if (outcome.kind === "fault") return { kind: "stop", why: outcome.fault.message };
  return { kind: "refused", why: outcome.errors.map((error) => error.message).join(" · ") };
}

function send(action: ExecutionAction, executionId: string, { from, version, reason }: HowToAct) {
  const quiet = true;
  switch (action) {
    case "retry":
      return change(
        Retry,
        { input: { executionId, from, version } },
        { payload: (data) => data.retryExecution, failed: "The execution was not retried", quiet },
      );
    case "cancel":
      return change(
        Cancel,
        { input: { executionId, reason } },
        { payload: (data) => data.cancelExecution, failed: "The execution was not cancelled", quiet },
      );
    case "dismiss":
      return change(
        Dismiss,
        { input: { executionId, reason } },
        { payload: (data) => data.dismissExecution, failed: "The failure was not dismissed", quiet },
      );
    case "resume":
      return change(
        Resume,
        { input: { executionId } },
        { payload: (data) => data.resumeExecution, failed: "The wait was not ended", quiet },
      );
    case "unpause":
      return change(
        Unpause,
        { input: { executionId, step: false } },
        { payload: (data) => data.unpauseExecution, failed: "The execution does not go on", quiet },
      );
  }
}

/** A cause of failures: those with the same fingerprint. */
export interface Cause {
  fingerprint: string;
  workflow?: string;
}

/** All failures of a cause that nobody has looked after. */
export async function failuresOf(cause: Cause): Promise<ExecutionRow[]> {
  const rows: ExecutionRow[] = [];
  let after: string | null | undefined;
  do {
    const variables = { ...cause, after, waitFor: lastWrite() };
    const result = await client.query(UnresolvedOfCause, variables, { requestPolicy: "network-only" }).toPromise();
    if (!result.data) throw new Error(result.error ? faultOf(result.error).message : "No answer came.");
    const { nodes, pageInfo } = result.data.executions;
    rows.push(...nodes);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : undefined;
  } while (after !== undefined && after !== null);
  return rows;
}

/** An execution as it is after the changes of this tab. */
export async function executionAnew(id: string): Promise<ExecutionRow | undefined> {
  const variables = { id, waitFor: lastWrite() };
  const { data } = await client.query(ExecutionAnew, variables, { requestPolicy: "network-only" }).toPromise();
  return data?.execution ?? undefined;
}
