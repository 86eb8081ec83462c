import type { AnyVariables, TypedDocumentNode } from "@urql/core";
import { useCallback, useEffect, useRef } from "react";
import { client } from "./client";
import type { Pager, RelayConnection } from "./pager";

export interface NewestOptions<D, N> {
  connection: (data: D) => RelayConnection<N>;
  keyOf: (node: N) => string;
  /** How many of the newest are looked at, at most 100. */
  pageSize?: number;
}

type PageVariables = AnyVariables & { first?: number | null; after?: string | null };

/** Things may happen by the thousand: lists follow them once in this time. */
const PAUSE_MS = 1_000;

/**
 * Keeps a list of the newest up to date without moving what is read: a function to call when something happened. What changed
 * is taken in where it is, what is new waits until it is shown. Where more happened than is looked at, the list begins anew.
 */
export function useNewest<D, V extends PageVariables, N>(
  document: TypedDocumentNode<D, V>,
  variables: Omit<V, "first" | "after">,
  pager: Pager<N>,
  { connection, keyOf, pageSize = 50 }: NewestOptions<D, N>,
): () => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const newest = useRef<{ list: string; key: string | undefined }>(undefined);
  const list = JSON.stringify(variables);
  const look = useRef<() => Promise<void>>(undefined);
  useEffect(() => {
    look.current = async () => {
      const asked = { ...variables, first: pageSize } as unknown as V;
      const answer = await client.query(document, asked, { requestPolicy: "network-only" }).toPromise();
      if (!answer.data) return;
      const { nodes, pageInfo } = connection(answer.data);
      const known = newest.current?.list === list ? newest.current.key : keyOfRow(pager.rowAt(0), keyOf);
      const isGap = pageInfo.hasNextPage && known !== undefined && !nodes.some((node) => keyOf(node) === known);
      newest.current = { list, key: nodes[0] && keyOf(nodes[0]) };
      if (isGap) pager.reload();
      else for (const node of nodes.toReversed()) pager.upsert(node);
    };
  });
  useEffect(() => () => clearTimeout(timer.current), [list]);
  return useCallback(() => {
    if (timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      void look.current?.();
    }, PAUSE_MS);
  }, []);
}

function keyOfRow<N>(row: N | undefined, keyOf: (node: N) => string): string | undefined {
  return row === undefined ? undefined : keyOf(row);
}
