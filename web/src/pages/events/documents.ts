import { graphql } from "@/api";
import type { EventsRowFragment } from "@/gql/graphql";

export const EventsRow = graphql(`
  fragment EventsRow on Event {
    id
    position
    category
    type
    streamId
    revision
    recordedAt
    reason
    known
    actor {
      kind
      name
      displayName
      account {
        id
        name
      }
    }
  }
`);

/** Events of a stretch of the log, the newest or the oldest first. */
export const EventsStretch = graphql(`
  query EventsStretch(
    $first: Int
    $after: String
    $from: Position
    $asOf: AsOf
    $direction: Direction!
    $filter: EventFilter!
    $waitFor: Position
  ) {
    head(waitFor: $waitFor) {
      position
    }
    events(
      first: $first
      after: $after
      from: $from
      asOf: $asOf
      direction: $direction
      filter: $filter
      waitFor: $waitFor
    ) {
      nodes {
        ...EventsRow
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const EventsWithText = graphql(`
  query EventsWithText($query: String!, $first: Int, $after: String, $asOf: AsOf, $filter: EventFilter!) {
    head {
      position
    }
    searchPayloads(query: $query, first: $first, after: $after, asOf: $asOf, filter: $filter) {
      nodes {
        excerpt
        event {
          ...EventsRow
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
      extent {
        complete
        goOnAt
        searchedEvents
      }
    }
  }
`);

export const EventsLive = graphql(`
  subscription EventsLive($filter: EventFilter!, $resumeFrom: Position) {
    events(filter: $filter, resumeFrom: $resumeFrom) {
      ...EventsRow
    }
  }
`);

export const EventsWhole = graphql(`
  fragment EventsWhole on Event {
    ...EventsRow
    schemaVersion
    payload
    causationId
    correlationId
    commandId
    requestId
    traceparent
    via
    onBehalfOf {
      kind
      name
      displayName
      account {
        id
        name
      }
    }
  }
`);

/** The event at a position: the only one after the position before it, as of itself. */
export const EventsOne = graphql(`
  query EventsOne($before: Position!, $position: Position!, $filter: EventFilter!) {
    events(first: 1, from: $before, asOf: { position: $position }, filter: $filter) {
      nodes {
        ...EventsWhole
      }
    }
  }
`);

export const EventsHeadAt = graphql(`
  query EventsHeadAt($time: DateTime!) {
    head(asOf: { time: $time }) {
      position
    }
  }
`);

export const EventsOfStream = graphql(`
  query EventsOfStream($stream: StreamInput!, $direction: Direction!, $from: Position, $asOf: AsOf) {
    events(first: 1, from: $from, asOf: $asOf, direction: $direction, filter: { stream: $stream }) {
      nodes {
        position
      }
    }
  }
`);

export const EventsState = graphql(`
  query EventsState($stream: StreamInput!, $before: Position!, $position: Position!) {
    before: stateAt(stream: $stream, asOf: { position: $before }) {
      kind
      status
      revision
      state
    }
    after: stateAt(stream: $stream, asOf: { position: $position }) {
      kind
      status
      revision
      state
      unknownEventCount
    }
    stateDiff(stream: $stream, from: { position: $before }, to: { position: $position }) {
      changes {
        op
        path
        before
        after
      }
    }
  }
`);

export const EventsStoryEvent = graphql(`
  fragment EventsStoryEvent on Event {
    ...EventsRow
    causationId
    correlationId
    commandId
  }
`);

export const EventsById = graphql(`
  query EventsById($id: ID!) {
    node(id: $id) {
      ... on Event {
        ...EventsStoryEvent
      }
    }
  }
`);

export const EventsAfter = graphql(`
  query EventsAfter($from: Position!, $first: Int!, $filter: EventFilter!) {
    events(first: $first, from: $from, filter: $filter) {
      nodes {
        ...EventsStoryEvent
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

export const EventsExport = graphql(`
  query EventsExport($first: Int!, $after: String, $asOf: AsOf, $filter: EventFilter!) {
    head {
      position
    }
    events(first: $first, after: $after, asOf: $asOf, filter: $filter) {
      nodes {
        ...EventsWhole
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** An event in the list. */
export type Row = EventsRowFragment & { excerpt?: string };

/** The position before one. */
export function before(position: string): string {
  const place = BigInt(position);
  return place > 0n ? String(place - 1n) : "0";
}
