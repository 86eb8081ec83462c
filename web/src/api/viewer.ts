import { useQuery } from "urql";
import { graphql } from "./graphql";
import type { Permission } from "../gql/schema";

const ViewerQuery = graphql(`
  query Viewer {
    viewer {
      account {
        id
        name
        email
      }
      actor {
        kind
        name
      }
      permissions
      roles
      tenant {
        name
        number
      }
    }
  }
`);

/** Who uses this tab, and what they may do. While it is not known yet, `can` answers true: the server refuses anyway. */
export function useViewer() {
  const [{ data, error }] = useQuery({ query: ViewerQuery, requestPolicy: "cache-first" });
  const viewer = data?.viewer;
  return { viewer, error, can: (permission: Permission) => viewer?.permissions.includes(permission) ?? true };
}
