import { type RawSearch, flag, oneOf, text } from "@/app/search";

/** A dialog that an address can open. */
export const DIALOGS = ["import", "new"] as const;

export interface WorkflowsSearch {
  /** Only those with this in their names. */
  name?: string;
  /** Only those in this folder, or in folders within it. */
  folder?: string;
  archived?: true;
  open?: (typeof DIALOGS)[number];
}

/** What the address of /workflows says. */
export function search(raw: RawSearch): WorkflowsSearch {
  return {
    name: text(raw.name)?.slice(0, 200),
    folder: text(raw.folder),
    archived: flag(raw.archived),
    open: oneOf(DIALOGS, raw.open),
  };
}
