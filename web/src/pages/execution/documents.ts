import { graphql } from "@/api";

export const ExecutionFacts = graphql(`
  fragment ExecutionFacts on Execution {
    id
    status
    revision
    createdPosition
    updatedPosition
    startedAt
    endedAt
    mode
    trigger
    priority
    startNode
    worker
    workflowId
    workflowRevision
    workflowVersion
    errorNode
    errorMessage
    errorFingerprint
    cancelReason
    dismissed
    unresolved
    causedBy
    continuedAs
    continuedFrom
    retriedAs
    retryOf
    waitingUntil
    breakpoints {
      node
      condition
    }
    paused {
      kind
      node
      reason
    }
    waiting {
      node
      until
      resumeUrl
    }
    forkedFrom {
      executionId
      position
      reason
      actor {
        kind
        name
        displayName
      }
      unusedOutputs {
        node
        runIndex
      }
    }
    workflow {
      id
      name
      publishedVersion
    }
  }
`);

/** Everything that is needed to show the newest state. */
export const ExecutionHead = graphql(`
  query ExecutionHead($id: UUID!, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      ...ExecutionFacts
      events(last: 100) {
        nodes {
          position
          revision
          type
          recordedAt
        }
      }
      beginning: events(first: 1) {
        nodes {
          position
          revision
          type
          recordedAt
          payload
        }
      }
      nodeRuns(last: 100) {
        nodes {
          node
          runIndex
          executionIndex
          status
          position
          startedAt
          durationMs
          itemCounts
        }
      }
    }
  }
`);

export const ExecutionAgain = graphql(`
  query ExecutionAgain($id: UUID!, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      ...ExecutionFacts
    }
  }
`);

export const ExecutionDefinition = graphql(`
  query ExecutionDefinition($id: UUID!, $entity: ID!, $revision: Int!, $version: Int, $isDraft: Boolean!) {
    workflow(id: $id) @skip(if: $isDraft) {
      definition(version: $version)
    }
    stateAt(entity: { kind: WORKFLOW, id: $entity }, asOf: { revision: $revision }) @include(if: $isDraft) {
      part(path: "/draft")
    }
  }
`);

/** Up to five stretches of events; one of which nothing is wanted has the length 0. */
export const ExecutionEvents = graphql(`
  query ExecutionEvents(
    $stream: StreamInput!
    $small: [String!]!
    $from0: Position!
    $from1: Position!
    $from2: Position!
    $from3: Position!
    $from4: Position!
    $first0: Int!
    $first1: Int!
    $first2: Int!
    $first3: Int!
    $first4: Int!
  ) {
    events0: events(filter: { stream: $stream }, from: $from0, first: $first0) {
      nodes {
        ...EventInBrief
      }
    }
    events1: events(filter: { stream: $stream }, from: $from1, first: $first1) {
      nodes {
        ...EventInBrief
      }
    }
    events2: events(filter: { stream: $stream }, from: $from2, first: $first2) {
      nodes {
        ...EventInBrief
      }
    }
    events3: events(filter: { stream: $stream }, from: $from3, first: $first3) {
      nodes {
        ...EventInBrief
      }
    }
    events4: events(filter: { stream: $stream }, from: $from4, first: $first4) {
      nodes {
        ...EventInBrief
      }
    }
    small0: events(filter: { stream: $stream, types: $small }, from: $from0, first: $first0) {
      nodes {
        ...EventInFull
      }
    }
    small1: events(filter: { stream: $stream, types: $small }, from: $from1, first: $first1) {
      nodes {
        ...EventInFull
      }
    }
    small2: events(filter: { stream: $stream, types: $small }, from: $from2, first: $first2) {
      nodes {
        ...EventInFull
      }
    }
    small3: events(filter: { stream: $stream, types: $small }, from: $from3, first: $first3) {
      nodes {
        ...EventInFull
      }
    }
    small4: events(filter: { stream: $stream, types: $small }, from: $from4, first: $first4) {
      nodes {
        ...EventInFull
      }
    }
  }

  fragment EventInBrief on Event {
    position
    revision
    type
    recordedAt
  }

  fragment EventInFull on Event {
    position
    revision
    type
    recordedAt
    payload
  }
`);

/** The hundred newest node runs as of up to five moments. */
export const ExecutionRuns = graphql(`
  query ExecutionRuns(
    $id: UUID!
    $at0: Position!
    $at1: Position!
    $at2: Position!
    $at3: Position!
    $at4: Position!
    $last0: Int!
    $last1: Int!
    $last2: Int!
    $last3: Int!
    $last4: Int!
  ) {
    runs0: execution(id: $id, asOf: { position: $at0 }) {
      ...RunsInBrief
      nodeRuns(last: $last0) {
        ...RunFacts
      }
    }
    runs1: execution(id: $id, asOf: { position: $at1 }) {
      ...RunsInBrief
      nodeRuns(last: $last1) {
        ...RunFacts
      }
    }
    runs2: execution(id: $id, asOf: { position: $at2 }) {
      ...RunsInBrief
      nodeRuns(last: $last2) {
        ...RunFacts
      }
    }
    runs3: execution(id: $id, asOf: { position: $at3 }) {
      ...RunsInBrief
      nodeRuns(last: $last3) {
        ...RunFacts
      }
    }
    runs4: execution(id: $id, asOf: { position: $at4 }) {
      ...RunsInBrief
      nodeRuns(last: $last4) {
        ...RunFacts
      }
    }
  }

  fragment RunsInBrief on Execution {
    id
  }

  fragment RunFacts on NodeRunConnection {
    nodes {
      node
      runIndex
      executionIndex
      status
      position
      startedAt
      durationMs
      itemCounts
    }
  }
`);

export const ExecutionEarlierRuns = graphql(`
  query ExecutionEarlierRuns($id: UUID!, $asOf: AsOf, $last: Int!, $before: String) {
    execution(id: $id, asOf: $asOf) {
      id
      beginning: events(first: 1) {
        nodes {
          type
          payload
        }
      }
      nodeRuns(last: $last, before: $before) {
        nodes {
          node
          runIndex
          executionIndex
          position
        }
        pageInfo {
          hasPreviousPage
          startCursor
        }
      }
    }
  }
`);

export const ExecutionLive = graphql(`
  subscription ExecutionLive($id: UUID!, $resumeFrom: Position) {
    execution(id: $id, resumeFrom: $resumeFrom) {
      position
      revision
      type
      recordedAt
      status
      payload
    }
  }
`);

export const ExecutionPart = graphql(`
  query ExecutionPart($id: ID!, $asOf: AsOf, $path: String!) {
    stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
      position
      revision
      part(path: $path)
    }
  }
`);

export const ExecutionWholeState = graphql(`
  query ExecutionWholeState($id: ID!, $asOf: AsOf) {
    stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
      position
      state
      unknownEventCount
    }
  }
`);

/** All of a state but its node runs, which may be many. */
export const ExecutionOwnState = graphql(`
  query ExecutionOwnState($id: ID!, $asOf: AsOf) {
    stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
      position
      unknownEventCount
      start: part(path: "/start")
      status
      waiting: part(path: "/waiting")
      paused: part(path: "/paused")
      breakpoints: part(path: "/breakpoints")
      forked_from: part(path: "/forked_from")
      continued_from: part(path: "/continued_from")
      continued_as: part(path: "/continued_as")
      earlier_runs: part(path: "/earlier_runs")
      response: part(path: "/response")
      data: part(path: "/data")
      error: part(path: "/error")
      failed_node: part(path: "/failed_node")
      retried_as: part(path: "/retried_as")
      dismissed: part(path: "/dismissed")
      worker: part(path: "/worker")
      ended_at_ms: part(path: "/ended_at_ms")
    }
  }
`);

export const ExecutionDiff = graphql(`
  query ExecutionDiff($id: ID!, $from: AsOf!, $to: AsOf!) {
    stateDiff(entity: { kind: EXECUTION, id: $id }, from: $from, to: $to) {
      eventsOmitted
      from {
        revision
        position
      }
      to {
        revision
        position
      }
      changes {
        op
        path
        before
        after
        writtenBy {
          position
          revision
          type
        }
      }
    }
  }
`);

export const ExecutionOrigin = graphql(`
  query ExecutionOrigin($id: ID!, $asOf: AsOf, $path: String!) {
    stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
      provenance(path: $path) {
        isCut
        value
        writtenBy {
          position
          revision
          type
        }
        steps {
          executionId
          node
          runIndex
          output
          item
          path
          origin
          expression
          parameters
          inputs
          value
          writtenBy {
            position
            revision
            type
          }
        }
      }
    }
  }
`);

export const ExecutionEvent = graphql(`
  query ExecutionEvent($stream: StreamInput!, $from: Position!) {
    events(filter: { stream: $stream }, from: $from, first: 1) {
      nodes {
        position
        revision
        type
        recordedAt
        schemaVersion
        reason
        requestId
        traceparent
        known
        payload
        actor {
          kind
          name
          displayName
        }
        onBehalfOf {
          kind
          name
          displayName
        }
      }
    }
  }
`);

export const ExecutionSearchPayloads = graphql(`
  query ExecutionSearchPayloads($query: String!, $filter: EventFilter!, $after: String) {
    searchPayloads(query: $query, filter: $filter, first: 100, after: $after) {
      extent {
        complete
        goOnAt
        searchedEvents
      }
      nodes {
        position
        excerpt
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);
