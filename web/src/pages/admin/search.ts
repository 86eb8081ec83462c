import { type RawSearch, oneOf, text } from "@/app/search";

export interface AdminSearch {
  /** The account that is looked at. */
  account?: string;
  /** Whether those that let nobody in any more are shown as well. */
  show?: "all";
  /** The projection that is looked at. */
  projection?: string;
  /** What stands for the subject that is looked at. */
  subject?: string;
  /** The kind of data whose retention is looked at, as a category of streams. */
  category?: string;
}

/** What the address of /admin/$section says. */
export function search(raw: RawSearch): AdminSearch {
  return {
    account: text(raw.account),
    show: oneOf(["all"], raw.show),
    projection: text(raw.projection),
    subject: text(raw.subject),
    category: text(raw.category),
  };
}
