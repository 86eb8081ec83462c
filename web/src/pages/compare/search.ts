import { type RawSearch, text } from "@/app/search";

export interface CompareSearch {
  left?: string;
  right?: string;
}

/** What the address of /compare says. */
export function search(raw: RawSearch): CompareSearch {
  return { left: text(raw.left), right: text(raw.right) };
}
