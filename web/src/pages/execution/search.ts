import { type RawSearch, position, text } from "@/app/search";

export interface ExecutionSearch {
  position?: string;
  node?: string;
}

/** What the address of /executions/$executionId says. */
export function search(raw: RawSearch): ExecutionSearch {
  return { position: position(raw.position), node: text(raw.node) };
}
