import { type RawSearch, flag, oneOf, text } from "@/app/search";
import type { ExecutionTrigger } from "@/gql/schema";
import { EXECUTION_STATUSES, type ExecutionStatus } from "@/ui/status-names";

export const TRIGGERS = [
  "WEBHOOK",
  "SCHEDULE",
  "MESSAGE",
  "SUB_WORKFLOW",
  "FAILURE",
  "RETRY",
  "FORK",
] as const satisfies readonly ExecutionTrigger[];

/** How executions are shown: one by one, or in groups. */
export const GROUPINGS = ["cause", "workflow"] as const;

/** Which executions are shown. */
export interface ExecutionsFilter {
  status?: ExecutionStatus;
  workflow?: string;
  trigger?: ExecutionTrigger;
  /** Failures that nobody has looked after. */
  unresolved?: true;
  /** Failures of one cause. */
  fingerprint?: string;
  /** A saved fact: its name and what it says. */
  fact?: string;
  value?: string;
  /** Those that began at this time or later, and before that one. */
  from?: string;
  to?: string;
  /** As they were at a time. */
  at?: string;
}

/** In which order they come, where it is not failures that nobody has looked after first. */
export const ORDERS = ["newest"] as const;

export interface ExecutionsSearch extends ExecutionsFilter {
  order?: (typeof ORDERS)[number];
  group?: (typeof GROUPINGS)[number];
  /** A text in what happened in executions. */
  query?: string;
  /** The execution whose details are shown. */
  details?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What the address of /executions says. */
export function search(raw: RawSearch): ExecutionsSearch {
  return {
    ...filterOf(raw),
    order: oneOf(ORDERS, raw.order),
    group: oneOf(GROUPINGS, raw.group),
    query: text(raw.query)?.slice(0, 200),
    details: uuid(raw.details),
  };
}

/** The part that says which executions are shown. */
export function filterOf(raw: RawSearch): ExecutionsFilter {
  const fact = text(raw.fact);
  const value = text(raw.value);
  return {
    status: oneOf(EXECUTION_STATUSES, raw.status),
    workflow: uuid(raw.workflow),
    trigger: oneOf(TRIGGERS, raw.trigger),
    unresolved: flag(raw.unresolved),
    fingerprint: text(raw.fingerprint),
    // One without the other says nothing.
    ...(fact !== undefined && value !== undefined ? { fact, value } : {}),
    from: time(raw.from),
    to: time(raw.to),
    at: time(raw.at),
  };
}

function uuid(value: unknown): string | undefined {
  const id = text(value);
  return id !== undefined && UUID.test(id) ? id : undefined;
}

function time(value: unknown): string | undefined {
  const moment = new Date(text(value) ?? "");
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
}
