import { graphql } from "@/api";

export const CompareFacts = graphql(`
  fragment CompareFacts on Execution {
    id
    status
    trigger
    mode
    startedAt
    endedAt
    workflowId
    workflowRevision
    workflowVersion
    errorNode
    errorMessage
    retryOf
    forkedFrom {
      executionId
      position
    }
    workflow {
      id
      name
    }
  }
`);

export const CompareSide = graphql(`
  query CompareSide($id: UUID!, $entity: ID!, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      ...CompareFacts
    }
    stateAt(entity: { kind: EXECUTION, id: $entity }, waitFor: $waitFor) {
      earlier: part(path: "/earlier_runs")
    }
    modelCalls(first: 100, filter: { execution: $id }) {
      nodes {
        id
        cost
        currency
        tookUs
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

export const CompareSummary = graphql(`
  query CompareSummary($left: UUID!, $right: UUID!, $leftAsOf: AsOf, $rightAsOf: AsOf, $waitFor: Position) {
    compareExecutions(left: $left, right: $right, leftAsOf: $leftAsOf, rightAsOf: $rightAsOf, waitFor: $waitFor) {
      same
      sameCount
      changedCount
      onlyLeftCount
      onlyRightCount
      leftStatus
      rightStatus
      cause {
        reason
        step {
          node
          runIndex
        }
      }
      firstDivergence {
        node
        runIndex
      }
    }
  }
`);

export const CompareSteps = graphql(`
  query CompareSteps(
    $left: UUID!
    $right: UUID!
    $leftAsOf: AsOf
    $rightAsOf: AsOf
    $differing: Boolean!
    $first: Int
    $after: String
    $waitFor: Position
  ) {
    compareExecutions(left: $left, right: $right, leftAsOf: $leftAsOf, rightAsOf: $rightAsOf, waitFor: $waitFor) {
      steps(first: $first, after: $after, differing: $differing) {
        edges {
          cursor
          node {
            ...CompareStepFacts
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }

  fragment CompareStepFacts on ComparedStep {
    node
    runIndex
    outcome
    nodeDiffers
    inputsDiffer
    durationDeltaMs
    left {
      attempts
      status
      durationMs
      beganAfterMs
      executionIndex
      itemCounts
    }
    right {
      attempts
      status
      durationMs
      beganAfterMs
      executionIndex
      itemCounts
    }
    cause {
      reason
      step {
        node
        runIndex
      }
    }
  }
`);

/** One step with all that is other about it. */
export const CompareStep = graphql(`
  query CompareStep(
    $left: UUID!
    $right: UUID!
    $leftAsOf: AsOf
    $rightAsOf: AsOf
    $differing: Boolean!
    $after: String
  ) {
    compareExecutions(left: $left, right: $right, leftAsOf: $leftAsOf, rightAsOf: $rightAsOf) {
      steps(first: 1, after: $after, differing: $differing) {
        nodes {
          node
          runIndex
          attempts {
            number
            leftError
            rightError
          }
          outputChanges {
            op
            path
            before
            after
          }
          inputChanges {
            op
            path
            before
            after
          }
          nodeChanges {
            op
            path
            before
            after
          }
        }
      }
    }
  }
`);

export const CompareRun = graphql(`
  query CompareRun($id: ID!, $asOf: AsOf, $path: String!) {
    stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
      part(path: $path)
    }
  }
`);

export const CompareCandidates = graphql(`
  query CompareCandidates(
    $workflowId: UUID
    $status: ExecutionStatus
    $first: Int
    $after: String
    $waitFor: Position
  ) {
    executions(workflowId: $workflowId, status: $status, first: $first, after: $after, waitFor: $waitFor) {
      nodes {
        ...CompareFacts
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const CompareWorkflows = graphql(`
  query CompareWorkflows($name: String) {
    workflows(name: $name, first: 20) {
      nodes {
        id
        name
      }
    }
  }
`);

export const CompareChanged = graphql(`
  subscription CompareChanged($resumeFrom: Position) {
    executionsChanged(resumeFrom: $resumeFrom) {
      position
      executionId
      status
    }
  }
`);
