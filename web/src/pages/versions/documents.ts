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
        types: ["WorkflowVersionPublished", "WorkflowActivated", "WorkflowDeactivated", "WorkflowArchived"]
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
      account {
        name
      }
    }
    onBehalfOf {
      kind
      name
      account {
        name
      }
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
          account {
            name
          }
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
