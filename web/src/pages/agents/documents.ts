import { useQuery } from "urql";
import { graphql } from "@/api";

/** What lists say of a run. */
export const RunsList = graphql(`
  query AgentRunsList($first: Int, $after: String, $agent: String, $status: AgentRunStatus, $waitFor: Position) {
    agentRuns(first: $first, after: $after, filter: { agent: $agent, status: $status }, waitFor: $waitFor) {
      nodes {
        id
        agentName
        version
        status
        input
        session
        turn
        toolCalls
        inputTokens
        outputTokens
        cost
        startedAt
        endedAt
        failureCode
        lineage {
          runId
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const OneAgent = graphql(`
  query AgentPage($name: String!, $waitFor: Position) {
    agent(name: $name, waitFor: $waitFor) {
      name
      description
      owner
      state
      config
      deprecatedReason
      replacement
      history {
        revision
        createdAt
        updatedAt
        updatedPosition
      }
      newestVersion {
        version
        record
        kind
        model
        capabilities
      }
      versions {
        version
        digest
        kind
        model
        tools
        record
      }
    }
  }
`);

/** What an agent remembers, session by session. */
export const AgentSessions = graphql(`
  query AgentSessions($name: String!, $waitFor: Position) {
    agent(name: $name, waitFor: $waitFor) {
      sessions {
        session
        exchanges
        lastAt
        lastPosition
      }
    }
  }
`);

const Currency = graphql(`
  query AgentCurrency {
    gatewayPrices {
      currency
    }
  }
`);

/** What costs are in. */
export function useCurrency(): string {
  const [{ data }] = useQuery({ query: Currency, requestPolicy: "cache-first" });
  return data?.gatewayPrices.currency ?? "";
}
