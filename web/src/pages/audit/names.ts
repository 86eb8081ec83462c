import { useEffect, useSyncExternalStore } from "react";
import { client, graphql } from "@/api";
import type { AuditNamesQuery } from "@/gql/graphql";

const AuditNames = graphql(`
  query AuditNames($ids: [ID!]!, $asOf: AsOf) {
    nodes(ids: $ids, asOf: $asOf) {
      __typename
      ... on Account {
        accountName: name
        email
      }
      ... on Workflow {
        workflowName: name
      }
      ... on Credential {
        credentialName: name
        type
      }
      ... on Session {
        method
        address
        userAgent
        account {
          name
        }
      }
      ... on ApiKey {
        keyName: name
      }
      ... on Tenant {
        tenantName: name
      }
      ... on Execution {
        workflow {
          name
        }
      }
    }
  }
`);

type Found = NonNullable<AuditNamesQuery["nodes"][number]>;

/** Names of things by their ids; asked for together, so that a screen of rows is one question. */
const known = new Map<string, Found | null>();
const wanted = new Set<string>();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
const WAIT_MS = 20;
const AT_ONCE = 100;

const keyOf = (id: string, asOf: string | undefined) => `${asOf ?? ""} ${id}`;

function ask(id: string, asOf: string | undefined): void {
  const key = keyOf(id, asOf);
  if (known.has(key) || wanted.has(key)) return;
  wanted.add(key);
  timer ??= setTimeout(() => void fetchWanted(), WAIT_MS);
}

async function fetchWanted(): Promise<void> {
  timer = undefined;
  const groups = new Map<string, string[]>();
  for (const key of wanted) {
    const asOf = key.slice(0, key.indexOf(" "));
    const id = key.slice(key.indexOf(" ") + 1);
    groups.set(asOf, [...(groups.get(asOf) ?? []), id]);
  }
  wanted.clear();
  for (const [asOf, all] of groups) {
    for (let from = 0; from < all.length; from += AT_ONCE) {
      const ids = all.slice(from, from + AT_ONCE);
      const moment = asOf === "" ? undefined : { position: asOf };
      const { data } = await client.query(AuditNames, { ids, asOf: moment }).toPromise();
      // What is not found stays so: it is told by its id.
      for (const [place, id] of ids.entries()) known.set(keyOf(id, moment?.position), data?.nodes[place] ?? null);
    }
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is known of a thing; asks for it where nothing is. */
export function useThing(id: string | undefined, asOf?: string): Found | null | undefined {
  useEffect(() => {
    if (id !== undefined) ask(id, asOf);
  }, [id, asOf]);
  return useSyncExternalStore(subscribe, () => (id === undefined ? undefined : known.get(keyOf(id, asOf))));
}

/** Waits for the names of things, for what is written into a file. */
export async function findThings(things: readonly { id: string; asOf?: string }[]): Promise<void> {
  for (const { id, asOf } of things) if (!known.has(keyOf(id, asOf))) wanted.add(keyOf(id, asOf));
  clearTimeout(timer);
  await fetchWanted();
}

/** What a thing is called, if that is known. */
export function nameOf(id: string, asOf: string | undefined): string | undefined {
  return nameIn(known.get(keyOf(id, asOf)));
}

export function nameIn(found: Found | null | undefined): string | undefined {
  switch (found?.__typename) {
    case "Account":
      return found.accountName;
    case "Workflow":
      return found.workflowName;
    case "Credential":
      return found.credentialName;
    case "Session":
      return found.account?.name;
    case "ApiKey":
      return found.keyName;
    case "Tenant":
      return found.tenantName;
    case "Execution":
      return found.workflow?.name;
    default:
      return undefined;
  }
}
