import { graphql } from "@/api";
import type { AuditRowFragment } from "@/gql/graphql";

export const AuditRow = graphql(`
  fragment AuditRow on Event {
    id
    position
    category
    type
    streamId
    recordedAt
    payload
    reason
    requestId
    via
    actor {
      kind
      name
      displayName
      account {
        id
        name
        email
      }
    }
    onBehalfOf {
      kind
      name
      displayName
    }
  }
`);

export const AuditTrail = graphql(`
  query AuditTrail($first: Int, $after: String, $filter: EventFilter!, $asOf: AsOf, $waitFor: Position) {
    events(first: $first, after: $after, direction: BACKWARD, filter: $filter, asOf: $asOf, waitFor: $waitFor) {
      nodes {
        ...AuditRow
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const AuditLive = graphql(`
  subscription AuditLive($filter: EventFilter!, $resumeFrom: Position) {
    events(filter: $filter, resumeFrom: $resumeFrom) {
      ...AuditRow
    }
  }
`);

/** The event at a position: the only one after the position before it, as of itself. */
export const AuditOne = graphql(`
  query AuditOne($before: Position!, $position: Position!) {
    events(first: 1, from: $before, asOf: { position: $position }) {
      nodes {
        ...AuditRow
      }
    }
  }
`);

export const AuditAccounts = graphql(`
  query AuditAccounts {
    accounts(first: 100) {
      nodes {
        id
        name
        email
      }
    }
  }
`);

export const AuditReview = graphql(`
  query AuditReview(
    $first: Int
    $after: String
    $permission: Permission
    $account: UUID
    $asOf: AsOf
    $waitFor: Position
  ) {
    accessReview(
      first: $first
      after: $after
      permission: $permission
      account: $account
      asOf: $asOf
      waitFor: $waitFor
    ) {
      nodes {
        account {
          id
          name
          email
          kind
        }
        grants {
          role
          permissions
          granted {
            at
            reason
            position
            actor {
              kind
              name
              displayName
            }
          }
        }
        keptOut
        keys {
          apiKey {
            key
            name
            expiresAt
            lastUsedAt
          }
          permissions
        }
        limitedBy {
          name
        }
        permissions
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export type Row = AuditRowFragment;

/** A moment as the API takes it. */
export function asOfOf(at: string | undefined): { position: string } | { time: string } | undefined {
  if (at === undefined) return undefined;
  return /^\d+$/.test(at) ? { position: at } : { time: at };
}
