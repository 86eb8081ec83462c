import { type RawSearch, oneOf, text } from "@/app/search";

export interface AdminSearch {
  /** The account that is looked at. */
  account?: string;
  /** Whether those that let nobody in any more are shown as well. */
  show?: "all";
  /** The projection that is looked at. */
  projection?: string;
}

/** What the address of /admin/$section says. */
export function search(raw: RawSearch): AdminSearch {
  return { account: text(raw.account), show: oneOf(["all"], raw.show), projection: text(raw.projection) };
}
