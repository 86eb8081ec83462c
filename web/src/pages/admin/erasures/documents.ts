import { graphql } from "@/api";
import type { AdminSubjectFragment } from "@/gql/graphql";
// The fragment has to be there before it is spread.
import "../hold-documents";

export const AdminSubject = graphql(`
  fragment AdminSubject on DataSubject {
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
    approver {
      kind
      name
      displayName
    }
    erasedAt
    completedAt
    streams
    events
    holds {
      ...AdminHold
    }
  }
`);

export const AdminErasures = graphql(`
  query AdminErasures {
    erasures {
      ...AdminSubject
    }
  }
`);

/** What is decided elsewhere shows by itself. */
export const AdminSubjectEvents = graphql(`
  subscription AdminSubjectEvents($resumeFrom: Position) {
    events(filter: { categories: ["subject"] }, resumeFrom: $resumeFrom) {
      position
    }
  }
`);

/** The dry run. It reads the whole log, so that it is asked for only where somebody wants to know. */
export const AdminErasurePreview = graphql(`
  query AdminErasurePreview($subject: String!) {
    erasurePreview(subject: $subject) {
      subject {
        ...AdminSubject
      }
      events
      categories {
        category
        events
      }
      streamCount
      streams {
        category
        id
        events
      }
      attachments
      executionsUnderWay
      letsIn
    }
  }
`);

export const AdminSubjectChanged = graphql(`
  fragment AdminSubjectChanged on SubjectPayload {
    subjectId
    position
    errors {
      ...Errors
    }
  }
`);

export const AdminRequestErasure = graphql(`
  mutation AdminRequestErasure($input: RequestErasureInput!) {
    requestErasure(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export const AdminWithdrawErasure = graphql(`
  mutation AdminWithdrawErasure($input: WithdrawErasureInput!) {
    withdrawErasure(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export const AdminApproveErasure = graphql(`
  mutation AdminApproveErasure($input: ApproveErasureInput!) {
    approveErasure(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export const AdminPlaceHold = graphql(`
  mutation AdminPlaceHold($input: PlaceLegalHoldInput!) {
    placeLegalHold(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export const AdminRequestRelease = graphql(`
  mutation AdminRequestRelease($input: ReleaseLegalHoldInput!) {
    requestLegalHoldRelease(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export const AdminApproveRelease = graphql(`
  mutation AdminApproveRelease($input: ReleaseLegalHoldInput!) {
    approveLegalHoldRelease(input: $input) {
      ...AdminSubjectChanged
    }
  }
`);

export type Subject = AdminSubjectFragment;
