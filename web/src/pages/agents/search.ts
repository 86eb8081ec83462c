import { type RawSearch, flag, oneOf, position, text } from "@/app/search";

const STATUSES = ["RUNNING", "WAITING_FOR_APPROVAL", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"] as const;
export type RunStatus = (typeof STATUSES)[number];
export const RUN_STATUSES = STATUSES;

export interface AgentsSearch {
  /** `runs` shows the runs of all agents. */
  tab?: "runs";
  status?: RunStatus;
  register?: true;
}

/** What the address of /agents says. */
export function search(raw: RawSearch): AgentsSearch {
  return { tab: oneOf(["runs"], raw.tab), status: oneOf(STATUSES, raw.status), register: flag(raw.register) };
}

export const AGENT_TABS = ["runs", "configuration", "tools", "versions", "memory"] as const;

export interface AgentSearch {
  tab?: (typeof AGENT_TABS)[number];
  status?: RunStatus;
}

/** What the address of /agents/$agentName says. */
export function agentSearch(raw: RawSearch): AgentSearch {
  return { tab: oneOf(AGENT_TABS, raw.tab), status: oneOf(STATUSES, raw.status) };
}

export interface AgentRunSearch {
  /** The run as it was then. */
  position?: string;
  /** The run that it is compared with. */
  compare?: string;
}

/** What the address of /agent-runs/$runId says. */
export function runSearch(raw: RawSearch): AgentRunSearch {
  return { position: position(raw.position), compare: text(raw.compare) };
}
