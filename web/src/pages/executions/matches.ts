import type { ExecutionRow } from "@/parts/execution-changes";
import type { ExecutionsFilter } from "./search";

/**
 * Whether an execution that changed belongs to a list. What a list of saved facts has is not told by a row: such lists take in
 * changes of what they show, and nothing new.
 */
export function matches(filter: ExecutionsFilter, row: ExecutionRow): boolean {
  if (filter.fact !== undefined || filter.at !== undefined) return false;
  return (
    (filter.status === undefined || filter.status === row.status) &&
    (filter.workflow === undefined || filter.workflow === row.workflowId) &&
    (filter.trigger === undefined || filter.trigger === row.trigger) &&
    (filter.fingerprint === undefined || filter.fingerprint === row.errorFingerprint) &&
    (filter.unresolved === undefined || row.unresolved)
  );
}

/** How many conditions a filter has. */
export function conditions(filter: ExecutionsFilter): number {
  const { status, workflow, trigger, unresolved, fingerprint, fact, at } = filter;
  return [status, workflow, trigger, unresolved, fingerprint, fact, at].filter((one) => one !== undefined).length;
}
