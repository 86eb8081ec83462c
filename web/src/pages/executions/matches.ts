import type { ExecutionRow } from "@/parts/execution-changes";
import type { ExecutionsFilter, ExecutionsSearch } from "./search";

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
    (filter.unresolved === undefined || row.unresolved) &&
    beganWithin(filter, row.startedAt)
  );
}

function beganWithin({ from, to }: ExecutionsFilter, startedAt: string | null | undefined): boolean {
  if (from === undefined && to === undefined) return true;
  const began = Date.parse(startedAt ?? "");
  const isLate = from === undefined || began >= Date.parse(from);
  return isLate && (to === undefined || began < Date.parse(to));
}

/** How many conditions a filter has. */
export function conditions(filter: ExecutionsFilter): number {
  const { status, workflow, trigger, unresolved, fingerprint, fact, at } = filter;
  // A time has a beginning and an end, and is one condition.
  const began = filter.from ?? filter.to;
  return [status, workflow, trigger, unresolved, fingerprint, fact, began, at].filter((one) => one !== undefined)
    .length;
}

const OF_GROUPS: Record<NonNullable<ExecutionsSearch["group"]>, readonly (keyof ExecutionsFilter)[]> = {
  cause: ["unresolved", "workflow", "at"],
  workflow: ["status", "at"],
};

/** Whether a condition means something where executions are grouped so. */
export function appliesTo(group: ExecutionsSearch["group"], condition: keyof ExecutionsFilter): boolean {
  return group === undefined || OF_GROUPS[group].includes(condition);
}

/** A filter without what means nothing where executions are grouped so. */
export function narrowedTo(group: ExecutionsSearch["group"], filter: ExecutionsFilter): ExecutionsFilter {
  const kept = Object.entries(filter).map(([name, value]) => [
    name,
    appliesTo(group, name as keyof ExecutionsFilter) ? (value as unknown) : undefined,
  ]);
  return Object.fromEntries(kept) as ExecutionsFilter;
}
