import { type RawSearch, oneOf, position, text } from "@/app/search";
import { GROUPS, type Group } from "./groups";

export interface AuditSearch {
  /** The event that is looked at. */
  position?: string;
  /** Who may do what, in place of who did what. */
  view?: "access";
  group?: Group;
  /** Whose doings: an account's id, or kind and name. */
  actor?: string;
  /** The moment: a position, or a time. */
  at?: string;
  permission?: string;
  account?: string;
}

/** What the address of /audit says. */
export function search(raw: RawSearch): AuditSearch {
  return {
    position: position(raw.position),
    view: oneOf(["access"], raw.view),
    group: oneOf(GROUPS, raw.group),
    actor: text(raw.actor),
    at: moment(raw.at),
    permission: text(raw.permission),
    account: text(raw.account),
  };
}

function moment(value: unknown): string | undefined {
  const said = position(value) ?? text(value);
  if (said === undefined || /^\d{1,19}$/.test(said)) return said;
  const date = new Date(said);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
