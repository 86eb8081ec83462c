import type { AnyVariables, TypedDocumentNode } from "@urql/core";
import { useEffect } from "react";
import { useQuery } from "urql";

/** Asks again every so often, as long as the page is looked at: for what no subscription tells. */
export function usePolling<D, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  everyMs: number,
) {
  const [result, again] = useQuery<D, V>({
    query: document,
    variables,
    requestPolicy: "cache-and-network",
  });
  useEffect(() => {
    const timer = setInterval(() => {
      if (!isHidden()) again({ requestPolicy: "network-only" });
    }, everyMs);
    return () => clearInterval(timer);
  }, [again, everyMs]);
  return [result, again] as const;
}

function isHidden(): boolean {
  return globalThis.document.hidden;
}
