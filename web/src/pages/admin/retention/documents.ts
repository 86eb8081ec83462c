import { graphql } from "@/api";
import type { AdminRetentionEventFragment, AdminRetentionFragment } from "@/gql/graphql";
// The fragment has to be there before it is spread.
import "../hold-documents";

export const AdminRetention = graphql(`
  fragment AdminRetention on DataRetention {
    category
    days
    reason
    since
    request {
      days
      reason
      by
    }
    holds {
      ...AdminHold
    }
    lastDay
    appliedAt
    streams
    events
  }
`);

export const AdminRetentions = graphql(`
  query AdminRetentions {
    retentions {
      ...AdminRetention
    }
  }
`);

/** What is decided elsewhere, and what goes, shows by itself. */
export const AdminRetentionEvents = graphql(`
  subscription AdminRetentionEvents($resumeFrom: Position) {
    events(filter: { categories: ["retention"] }, resumeFrom: $resumeFrom) {
      position
    }
  }
`);

export const AdminRetentionEvent = graphql(`
  fragment AdminRetentionEvent on Event {
    position
    type
    category
    streamId
    recordedAt
    payload
    actor {
      kind
      name
      displayName
    }
  }
`);

/** What was decided about a category, and what went, the newest first. */
export const AdminRetentionHistory = graphql(`
  query AdminRetentionHistory($category: ID!, $first: Int!) {
    events(first: $first, direction: BACKWARD, filter: { stream: { category: "retention", id: $category } }) {
      nodes {
        ...AdminRetentionEvent
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

/** The executions that began in a time: how many, and which of them have not ended and keep their day. */
export const AdminRetentionExecutions = graphql(`
  query AdminRetentionExecutions($from: DateTime!, $to: DateTime!, $first: Int!) {
    executions(startedFrom: $from, startedTo: $to, first: $first) {
      nodes {
        id
      }
      pageInfo {
        hasNextPage
      }
    }
    running: executions(startedFrom: $from, startedTo: $to, status: RUNNING, first: 1) {
      nodes {
        id
      }
    }
    waiting: executions(startedFrom: $from, startedTo: $to, status: WAITING, first: 1) {
      nodes {
        id
      }
    }
    paused: executions(startedFrom: $from, startedTo: $to, status: PAUSED, first: 1) {
      nodes {
        id
      }
    }
  }
`);

export const AdminRetentionChanged = graphql(`
  fragment AdminRetentionChanged on RetentionPayload {
    position
    retention {
      request {
        days
      }
    }
    errors {
      ...Errors
    }
  }
`);

export const AdminSetRetention = graphql(`
  mutation AdminSetRetention($input: SetRetentionInput!) {
    setRetention(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export const AdminApproveRetention = graphql(`
  mutation AdminApproveRetention($input: RetentionInput!) {
    approveRetention(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export const AdminWithdrawRetention = graphql(`
  mutation AdminWithdrawRetention($input: RetentionInput!) {
    withdrawRetention(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export const AdminPlaceRetentionHold = graphql(`
  mutation AdminPlaceRetentionHold($input: RetentionHoldInput!) {
    placeRetentionHold(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export const AdminRequestRetentionRelease = graphql(`
  mutation AdminRequestRetentionRelease($input: RetentionHoldInput!) {
    requestRetentionHoldRelease(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export const AdminApproveRetentionRelease = graphql(`
  mutation AdminApproveRetentionRelease($input: RetentionHoldInput!) {
    approveRetentionHoldRelease(input: $input) {
      ...AdminRetentionChanged
    }
  }
`);

export type Retention = AdminRetentionFragment;
export type RetentionEvent = AdminRetentionEventFragment;
