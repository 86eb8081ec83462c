import { change, client, graphql, lastWrite } from "@/api";
import type { WorkflowImportMutation } from "@/gql/graphql";
import type { ImportWorkflowInput } from "@/gql/schema";
import { WorkflowActivate, WorkflowDeactivate } from "./workflow-documents";

export const WorkflowMissingNode = graphql(`
  fragment WorkflowMissingNode on MissingNode {
    node
    nodeType
    typeVersion
    knownVersions
    message
    needs
    replacement
    service {
      name
    }
  }
`);

const WorkflowImport = graphql(`
  mutation WorkflowImport($input: ImportWorkflowInput!) {
    importWorkflow(input: $input) {
      position
      workflowId
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
        id
        name
        nodeCount
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

const WorkflowArchive = graphql(`
  mutation WorkflowArchive($input: WorkflowInput!) {
    archiveWorkflow(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const WorkflowUnarchive = graphql(`
  mutation WorkflowUnarchive($input: WorkflowInput!) {
    unarchiveWorkflow(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const WorkflowMove = graphql(`
  mutation WorkflowMove($input: MoveWorkflowInput!) {
    moveWorkflow(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

const WorkflowDefinition = graphql(`
  query WorkflowDefinition($id: UUID!, $version: Int, $waitFor: Position) {
    workflow(id: $id, waitFor: $waitFor) {
      name
      definition(version: $version)
    }
  }
`);

export type ImportPayload = WorkflowImportMutation["importWorkflow"];

/** Takes a file in. Refusals are answered, not said. */
export function importWorkflow(input: Partial<ImportWorkflowInput>) {
  return change(
    WorkflowImport,
    { input: { replaceServiceNodes: false, ...input } },
    { payload: (data) => data.importWorkflow, failed: "The workflow was not taken in", quiet: true },
  );
}

export function activateWorkflow(workflowId: string, version: number | undefined, quiet = false) {
  return change(
    WorkflowActivate,
    { input: { workflowId, version } },
    { payload: (data) => data.activateWorkflow, failed: "The workflow was not activated", quiet },
  );
}

export function deactivateWorkflow(workflowId: string, quiet = false) {
  return change(
    WorkflowDeactivate,
    { input: { workflowId } },
    { payload: (data) => data.deactivateWorkflow, failed: "The workflow was not deactivated", quiet },
  );
}

export function archiveWorkflow(workflowId: string, quiet = false) {
  return change(
    WorkflowArchive,
    { input: { workflowId } },
    { payload: (data) => data.archiveWorkflow, failed: "The workflow was not archived", quiet },
  );
}

export function unarchiveWorkflow(workflowId: string, quiet = false) {
  return change(
    WorkflowUnarchive,
    { input: { workflowId } },
    { payload: (data) => data.unarchiveWorkflow, failed: "The workflow is still archived", quiet },
  );
}

export function moveWorkflow(workflowId: string, folder: string, quiet = false) {
  return change(
    WorkflowMove,
    { input: { workflowId, folder } },
    { payload: (data) => data.moveWorkflow, failed: "The workflow was not moved", quiet },
  );
}

/** A workflow as a file has it: the draft, or a version. */
export async function definitionOf(
  id: string,
  version?: number,
): Promise<{ name: string; definition: unknown } | undefined> {
  const variables = { id, version, waitFor: lastWrite() };
  const { data } = await client.query(WorkflowDefinition, variables, { requestPolicy: "network-only" }).toPromise();
  return data?.workflow ? { name: data.workflow.name, definition: data.workflow.definition } : undefined;
}
