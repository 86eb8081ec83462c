import { type RawSearch, oneOf, position, text, texts } from "@/app/search";

export const EVENT_TABS = ["payload", "state", "story"] as const;
export type EventTab = (typeof EVENT_TABS)[number];

export interface EventsSearch {
  /** The event that is looked at. */
  position?: string;
  category?: string;
  type?: string[];
  /** One aggregate, as `execution/ID`. */
  stream?: string;
  /** Who or what brought it about: an account's id, or `system:engine`. */
  actor?: string;
  /** A text in payloads. */
  query?: string;
  /** What is shown of the event. */
  tab?: EventTab;
}

/** What the address of /events says. */
export function search(raw: RawSearch): EventsSearch {
  return {
    position: position(raw.position),
    category: text(raw.category),
    type: texts(raw.type),
    stream: text(raw.stream),
    actor: text(raw.actor),
    query: text(raw.query),
    tab: oneOf(EVENT_TABS, raw.tab),
  };
}
