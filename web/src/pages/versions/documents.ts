import { graphql } from "@/api";

export const VersionsWorkflow = graphql(`
  query VersionsWorkflow($id: UUID!, $waitFor: Position) {
    workflow(id: $id, waitFor: $waitFor) {
      id
      name
      active
      activeVersion
      archived
      publishedVersion
      rollout {
        version
        percent
      }
      missingNodes {
        node
      }
      history {
        revision
        updatedAt
      }
    }
  }
`);

export const VersionsHistory = graphql(`
  query VersionsHistory($id: ID!, $first: Int, $after: String, $waitFor: Position) {
    events(
      filter: {
        stream: { category: "workflow", id: $id }
        types: [
          "WorkflowVersionPublished"
          "WorkflowActivated"
          "WorkflowDeactivated"
          "WorkflowArchived"
          "WorkflowRolloutStarted"
          "WorkflowRolloutChanged"
          "WorkflowRolloutPromoted"
          "WorkflowRolloutRolledBack"
        ]
      }
      direction: BACKWARD
      first: $first
      after: $after
      waitFor: $waitFor
    ) {
      nodes {
        ...VersionsEvent
        payload
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }

  fragment VersionsEvent on Event {
    id
    position
    type
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
`);

/** The newest change of the draft. Its payload is a whole definition, so it is not asked for. */
export const VersionsDraft = graphql(`
  query VersionsDraft($id: ID!, $waitFor: Position) {
    events(
      filter: {
        stream: { category: "workflow", id: $id }
        types: ["WorkflowCreated", "WorkflowUpdated", "WorkflowSettingsChanged", "WorkflowPinsChanged"]
      }
      direction: BACKWARD
      first: 1
      waitFor: $waitFor
    ) {
      nodes {
        id
        position
        recordedAt
        actor {
          kind
          name
          displayName
        }
      }
    }
  }
`);

export const VersionsDefinition = graphql(`
  query VersionsDefinition($id: UUID!, $version: Int, $waitFor: Position) {
    workflow(id: $id, waitFor: $waitFor) {
      id
      definition(version: $version)
    }
  }
`);

export const VersionsRollout = graphql(`
  query VersionsRollout($id: UUID!, $waitFor: Position) {
    workflow(id: $id, waitFor: $waitFor) {
      id
      rollout {
        number
        version
        percent
        startedAt
        guard {
          errorPercentMax
          executionsMin
          windowMinutes
          onlyIfWorse
        }
        candidate {
          ...VersionsArm
        }
        active {
          ...VersionsArm
        }
      }
    }
  }

  fragment VersionsArm on WorkflowRolloutArm {
    version
    completed
    failed
    errorRate
  }
`);

export const VersionsStartRollout = graphql(`
  mutation VersionsStartRollout($input: StartWorkflowRolloutInput!) {
    startWorkflowRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const VersionsChangeRollout = graphql(`
  mutation VersionsChangeRollout($input: ChangeWorkflowRolloutInput!) {
    changeWorkflowRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const VersionsPromoteRollout = graphql(`
  mutation VersionsPromoteRollout($input: WorkflowInput!) {
    promoteWorkflowRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const VersionsRollBackRollout = graphql(`
  mutation VersionsRollBackRollout($input: WorkflowInput!) {
    rollBackWorkflowRollout(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const VersionsTestCases = graphql(`
  query VersionsTestCases($workflowId: UUID!) {
    workflowTestCases(workflowId: $workflowId) {
      id
      name
      executionId
      bytes
      eventCount
      sealedEventCount
      signedBy
      addedAt
      addedBy
    }
  }
`);

export const VersionsRemoveTestCase = graphql(`
  mutation VersionsRemoveTestCase($input: RemoveWorkflowTestCaseInput!) {
    removeWorkflowTestCase(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);
