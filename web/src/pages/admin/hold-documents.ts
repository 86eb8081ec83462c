import { graphql } from "@/api";
import type { AdminHoldFragment } from "@/gql/graphql";

/** A hold on data, of a subject or of a category. */
export const AdminHold = graphql(`
  fragment AdminHold on LegalHold {
    name
    reason
    actor {
      kind
      name
      displayName
    }
    release {
      reason
      actor {
        kind
        name
        displayName
      }
    }
  }
`);

export type Hold = AdminHoldFragment;
