import { graphql } from "@/api";
// The fragment has to be there before it is spread.
import "@/parts/execution-changes";

export const HomeCauses = graphql(`
  query HomeCauses($waitFor: Position) {
    executionGroups(by: ERROR_FINGERPRINT, unresolved: true, first: 8, waitFor: $waitFor) {
      nodes {
        fingerprint
        executionCount
        workflowCount
        errorMessage
        errorNode
        newest {
          id
          endedAt
          workflow {
            name
          }
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

export const HomeStanding = graphql(`
  query HomeStanding($waitFor: Position) {
    paused: executions(status: PAUSED, first: 10, waitFor: $waitFor) {
      nodes {
        ...ExecutionRow
      }
      pageInfo {
        hasNextPage
      }
    }
    waiting: executions(status: WAITING, first: 50, waitFor: $waitFor) {
      nodes {
        ...ExecutionRow
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

export const HomeApprovals = graphql(`
  query HomeApprovals($waitFor: Position) {
    agentRuns(filter: { status: WAITING_FOR_APPROVAL }, first: 10, waitFor: $waitFor) {
      nodes {
        id
        agentName
        startedAt
        waitsFor {
          call
          tool
          arguments
          reason
          expiresAt
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

export const HomeGiveApproval = graphql(`
  mutation HomeGiveApproval($input: GiveApprovalInput!) {
    giveApproval(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

/** What takes two users. */
export const HomeDecisions = graphql(`
  query HomeDecisions {
    erasures {
      id
      name
      status
      request {
        reason
        actor {
          kind
          name
          displayName
        }
      }
      holds {
        name
        release {
          reason
          actor {
            kind
            name
            displayName
          }
        }
      }
    }
    retentions {
      category
      request {
        days
        reason
        by
      }
      holds {
        name
        release {
          reason
          actor {
            kind
            name
            displayName
          }
        }
      }
    }
  }
`);

export const HomeDecisionEvents = graphql(`
  subscription HomeDecisionEvents($resumeFrom: Position) {
    events(filter: { categories: ["subject", "retention"] }, resumeFrom: $resumeFrom) {
      position
    }
  }
`);

export const HomePlatform = graphql(`
  query HomePlatform {
    projections {
      name
      lag
      parkedCount
      role
      stopped {
        position
        reason
      }
      lastError {
        message
        over
        secondsAgo
      }
      building {
        lag
      }
    }
    workers {
      id
      address
      heartbeatAt
      live
      roles
      startedAt
    }
  }
`);

export const HomeRetryParked = graphql(`
  mutation HomeRetryParked($input: RetryParkedEventsInput!) {
    retryParkedEvents(input: $input) {
      parkedCount
      timedOut
      errors {
        ...Errors
      }
    }
  }
`);

export const HomeChanges = graphql(`
  query HomeChanges($filter: EventFilter!, $waitFor: Position) {
    events(filter: $filter, direction: BACKWARD, first: 12, waitFor: $waitFor) {
      nodes {
        id
        type
        category
        position
        streamId
        recordedAt
        reason
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

export const HomeWorkflow = graphql(`
  query HomeWorkflow($id: UUID!) {
    workflow(id: $id) {
      id
      name
    }
  }
`);

export const HomeAny = graphql(`
  query HomeAny($waitFor: Position) {
    workflows(first: 1, waitFor: $waitFor) {
      nodes {
        id
      }
    }
  }
`);

export const HomeExecutionsChanged = graphql(`
  subscription HomeExecutionsChanged($resumeFrom: Position) {
    executionsChanged(resumeFrom: $resumeFrom) {
      position
      status
    }
  }
`);

export const HomeEvents = graphql(`
  subscription HomeEvents($categories: [String!]!, $resumeFrom: Position) {
    events(filter: { categories: $categories }, resumeFrom: $resumeFrom) {
      position
      category
    }
  }
`);
