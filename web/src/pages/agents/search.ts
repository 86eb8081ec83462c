import { type RawSearch, position } from "@/app/search";

export type AgentsSearch = Record<string, never>;

/** What the address of /agents says: nothing yet. */
export function search(): AgentsSearch {
  return {};
}

export type AgentSearch = Record<string, never>;

/** What the address of /agents/$agentName says: nothing yet. */
export function agentSearch(): AgentSearch {
  return {};
}

export interface AgentRunSearch {
  position?: string;
}

/** What the address of /agent-runs/$runId says. */
export function runSearch(raw: RawSearch): AgentRunSearch {
  return { position: position(raw.position) };
}
