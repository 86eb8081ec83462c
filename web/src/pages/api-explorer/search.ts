import { type RawSearch, text } from "@/app/search";

export interface ApiExplorerSearch {
  /** Which example is open. */
  example?: string;
}

/** What the address of /api says. */
export function search(raw: RawSearch): ApiExplorerSearch {
  return { example: text(raw.example) };
}
