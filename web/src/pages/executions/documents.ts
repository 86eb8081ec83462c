import { graphql } from "@/api";
// The fragment has to be there before it is spread.
import "@/parts/execution-changes";

export const ExecutionsList = graphql(`
  query ExecutionsList(
    $first: Int
    $after: String
    $status: ExecutionStatus
    $workflow: UUID
    $trigger: ExecutionTrigger
    $unresolved: Boolean!
    $saved: SavedFactInput
    $fingerprint: String
    $from: DateTime
    $to: DateTime
    $order: ExecutionOrder!
    $asOf: AsOf
    $waitFor: Position
  ) {
    executions(
      first: $first
      after: $after
      status: $status
      workflowId: $workflow
      trigger: $trigger
      unresolved: $unresolved
      saved: $saved
      errorFingerprint: $fingerprint
      startedFrom: $from
      startedTo: $to
      order: $order
      asOf: $asOf
      waitFor: $waitFor
    ) {
      nodes {
        ...ExecutionRow
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const ExecutionsChanged = graphql(`
  subscription ExecutionsChanged($resumeFrom: Position) {
    executionsChanged(resumeFrom: $resumeFrom) {
      position
      execution {
        ...ExecutionRow
      }
    }
  }
`);

export const ExecutionsGroups = graphql(`
  query ExecutionsGroups(
    $first: Int
    $after: String
    $workflow: UUID
    $unresolved: Boolean!
    $asOf: AsOf
    $waitFor: Position
  ) {
    executionGroups(
      by: ERROR_FINGERPRINT
      first: $first
      after: $after
      workflowId: $workflow
      unresolved: $unresolved
      asOf: $asOf
      waitFor: $waitFor
    ) {
      nodes {
        fingerprint
        executionCount
        workflowCount
        errorMessage
        errorNode
        newest {
          id
          startedAt
          endedAt
          workflow {
            name
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const ExecutionsByWorkflow = graphql(`
  query ExecutionsByWorkflow($first: Int, $after: String, $status: ExecutionStatus, $asOf: AsOf, $waitFor: Position) {
    workflows(first: $first, after: $after, asOf: $asOf, waitFor: $waitFor) {
      nodes {
        id
        name
        archived
        executions(first: 1, status: $status) {
          nodes {
            id
            status
            startedAt
            endedAt
            errorMessage
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const ExecutionsWithText = graphql(`
  query ExecutionsPayloadHits($query: String!, $first: Int, $after: String) {
    searchPayloads(query: $query, filter: { categories: ["execution"] }, first: $first, after: $after) {
      nodes {
        position
        excerpt
        event {
          type
          streamId
          recordedAt
        }
      }
      extent {
        complete
        goOnAt
        searchedEvents
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const ExecutionsDetails = graphql(`
  query ExecutionsDetails($id: UUID!, $asOf: AsOf, $waitFor: Position) {
    execution(id: $id, asOf: $asOf, waitFor: $waitFor) {
      ...ExecutionRow
      cancelReason
      causedBy
      continuedAs
      continuedFrom
      createdPosition
      updatedPosition
      nodesCompleted
      nodesFailed
      priority
      retryOf
      startNode
      traceId
      forkedFrom {
        executionId
        position
        reason
      }
      savedData {
        name
        value
      }
      response {
        status
        node
      }
      nodeRuns(first: 50) {
        nodes {
          id
          node
          runIndex
          status
          durationMs
          attempts
          itemCounts
          errorMessage
        }
        pageInfo {
          hasNextPage
        }
      }
    }
  }
`);

export const ExecutionsWorkflows = graphql(`
  query ExecutionsWorkflows($name: String) {
    workflows(first: 30, name: $name) {
      nodes {
        id
        name
      }
    }
  }
`);

export const ExecutionsWorkflow = graphql(`
  query ExecutionsWorkflow($id: UUID!) {
    workflow(id: $id) {
      id
      name
    }
  }
`);
