import { type RawSearch, oneOf, text } from "@/app/search";

export const TABS = ["calls", "spend", "routes", "providers", "limits", "prices"] as const;
export const CALL_STATUSES = ["COMPLETED", "FAILED", "REFUSED", "CANCELLED"] as const;
export const SPEND_BY = ["ROUTE", "PROVIDER", "MODEL", "KEY", "WORKFLOW", "AGENT", "DAY"] as const;

const day = (value: unknown) => {
  const found = text(value);
  return found !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(found) && !Number.isNaN(Date.parse(found))
    ? found
    : undefined;
};
const id = (value: unknown) => {
  const found = text(value);
  return found !== undefined && /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(found) ? found : undefined;
};

export interface GatewaySearch {
  tab?: (typeof TABS)[number];
  /** Which calls. */
  status?: (typeof CALL_STATUSES)[number];
  route?: string;
  provider?: string;
  agent?: string;
  key?: string;
  workflow?: string;
  execution?: string;
  /** By what is summed up, and which days, such as `2026-03-14`. */
  by?: (typeof SPEND_BY)[number];
  from?: string;
  until?: string;
}

/** What the address of /gateway says. */
export function search(raw: RawSearch): GatewaySearch {
  return {
    tab: oneOf(TABS, raw.tab),
    status: oneOf(CALL_STATUSES, raw.status),
    route: text(raw.route),
    provider: text(raw.provider),
    agent: text(raw.agent),
    key: text(raw.key),
    workflow: id(raw.workflow),
    execution: id(raw.execution),
    by: oneOf(SPEND_BY, raw.by),
    from: day(raw.from),
    until: day(raw.until),
  };
}

export type ModelCallSearch = Record<string, never>;

/** What the address of /gateway/calls/$callId says: nothing yet. */
export function callSearch(): ModelCallSearch {
  return {};
}
