import { type RawSearch, position, text } from "@/app/search";

export interface EventsSearch {
  position?: string;
  category?: string;
  query?: string;
}

/** What the address of /events says. */
export function search(raw: RawSearch): EventsSearch {
  return { position: position(raw.position), category: text(raw.category), query: text(raw.query) };
}
