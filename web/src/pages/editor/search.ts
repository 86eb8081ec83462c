import { type RawSearch, count, text } from "@/app/search";

export interface EditorSearch {
  version?: number;
  node?: string;
}

/** What the address of /workflows/$workflowId says. */
export function search(raw: RawSearch): EditorSearch {
  return { version: count(raw.version), node: text(raw.node) };
}
