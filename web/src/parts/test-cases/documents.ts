import { graphql } from "@/api";

export const TestCaseAdd = graphql(`
  mutation TestCaseAdd($input: AddWorkflowTestCaseInput!) {
    addWorkflowTestCase(input: $input) {
      position
      testCase {
        id
        name
        sealedEventCount
      }
      errors {
        ...Errors
      }
    }
  }
`);

/** The newest executions of a workflow, of which those that ended can be kept. */
export const TestCaseCandidates = graphql(`
  query TestCaseCandidates($workflowId: UUID!, $waitFor: Position) {
    executions(workflowId: $workflowId, first: 50, waitFor: $waitFor) {
      nodes {
        id
        status
        startedAt
      }
    }
  }
`);
