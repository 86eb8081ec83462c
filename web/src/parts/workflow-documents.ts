import { graphql } from "@/api";

export const WorkflowPublish = graphql(`
  mutation WorkflowPublish($input: PublishWorkflowInput!) {
    publishWorkflow(input: $input) {
      position
      workflow {
        publishedVersion
      }
      errors {
        ...Errors
      }
    }
  }
`);

export const WorkflowActivate = graphql(`
  mutation WorkflowActivate($input: ActivateWorkflowInput!) {
    activateWorkflow(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const WorkflowDeactivate = graphql(`
  mutation WorkflowDeactivate($input: WorkflowInput!) {
    deactivateWorkflow(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);
