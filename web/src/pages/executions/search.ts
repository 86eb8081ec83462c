import { type RawSearch, oneOf, text } from "@/app/search";
import { EXECUTION_STATUSES, type ExecutionStatus } from "@/ui/status-names";

export interface ExecutionsSearch {
  status?: ExecutionStatus;
  workflow?: string;
}

/** What the address of /executions says. */
export function search(raw: RawSearch): ExecutionsSearch {
  return { status: oneOf(EXECUTION_STATUSES, raw.status), workflow: text(raw.workflow) };
}
