import { type RawSearch, flag } from "@/app/search";

export interface WorkflowsSearch {
  archived?: true;
}

/** What the address of /workflows says. */
export function search(raw: RawSearch): WorkflowsSearch {
  return { archived: flag(raw.archived) };
}
