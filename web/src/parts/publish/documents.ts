import { graphql } from "@/api";

export const ReplayReport = graphql(`
  fragment ReplayReport on ReplayCheck {
    id
    status
    failure
    executionCount
    sameCount
    differCount
    skippedCount
    testCases {
      id
      name
      verdict
      summary
      changes {
        path
        before
        after
      }
    }
    differences {
      executionId
      node
      summary
      changes {
        path
        before
        after
      }
    }
  }
`);

export const ReplayStart = graphql(`
  mutation ReplayStart($input: StartReplayCheckInput!) {
    startReplayCheck(input: $input) {
      position
      replayCheck {
        ...ReplayReport
      }
      errors {
        ...Errors
      }
    }
  }
`);

export const ReplayOne = graphql(`
  query ReplayOne($id: UUID!) {
    replayCheck(id: $id) {
      ...ReplayReport
    }
  }
`);
