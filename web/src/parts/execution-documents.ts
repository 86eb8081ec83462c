import { graphql } from "@/api";

/** What every change of an execution answers. */
export const ExecutionChanged = graphql(`
  fragment ExecutionChanged on ExecutionPayload {
    executionId
    position
    errors {
      ...Errors
    }
  }
`);

export const Cancel = graphql(`
  mutation ExecutionCancel($input: CancelExecutionInput!) {
    cancelExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);

export const Unpause = graphql(`
  mutation ExecutionUnpause($input: UnpauseExecutionInput!) {
    unpauseExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);

export const Retry = graphql(`
  mutation ExecutionRetry($input: RetryExecutionInput!) {
    retryExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);

export const Dismiss = graphql(`
  mutation ExecutionDismiss($input: DismissExecutionInput!) {
    dismissExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);

export const Resume = graphql(`
  mutation ExecutionResume($input: ResumeExecutionInput!) {
    resumeExecution(input: $input) {
      ...ExecutionChanged
    }
  }
`);
