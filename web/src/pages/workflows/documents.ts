import { graphql } from "@/api";
// The fragment has to be there before it is spread.
import "@/parts/workflow-changes";

export const WorkflowsList = graphql(`
  query WorkflowsList(
    $first: Int
    $after: String
    $archived: Boolean
    $name: String
    $folder: String
    $waitFor: Position
  ) {
    workflows(first: $first, after: $after, archived: $archived, name: $name, folder: $folder, waitFor: $waitFor) {
      nodes {
        id
        name
        active
        activeVersion
        archived
        folder
        nodeCount
        publishedVersion
        history {
          updatedAt
        }
        missingNodes {
          node
        }
        executions(first: 1) {
          nodes {
            id
            status
            startedAt
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

export const WorkflowsFolders = graphql(`
  query WorkflowsFolders($waitFor: Position) {
    head(waitFor: $waitFor) {
      position
    }
    workflowFolders {
      path
      workflowCount
    }
  }
`);

export const WorkflowsReplaceServiceNodes = graphql(`
  mutation WorkflowsReplaceServiceNodes($input: ReplaceServiceNodesInput!) {
    replaceServiceNodes(input: $input) {
      position
      replacedNodes {
        node
        needs
        differs
        dropped
        service {
          name
        }
      }
      workflow {
        missingNodes {
          ...WorkflowMissingNode
        }
      }
      errors {
        ...Errors
      }
    }
  }
`);
