import type { AnyVariables, TypedDocumentNode } from "@urql/core";
import { useCallback, useEffect, useMemo, useState } from "react";
import { client } from "./client";
import { type Fault, faultOf } from "./errors";
import { Pages } from "./pages";

/** A Relay connection, as lists of the API are. */
export interface RelayConnection<N> {
  nodes: readonly N[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

export interface PagerOptions<D, N> {
  /** The list in an answer. */
  connection: (data: D) => RelayConnection<N>;
  /** What a row is known by. */
  keyOf: (node: N) => string;
  /** Rows of a page, at most 100. */
  pageSize?: number;
  enabled?: boolean;
}

/** A list of any length of which a window is held. */
export interface Pager<N> {
  /** Rows that are known to be there; one more stands for those that were not reached yet. */
  count: number;
  hasMore: boolean;
  /** A row; `undefined` while it is on its way. */
  rowAt: (index: number) => N | undefined;
  /** Says which rows are looked at: what is missing of them is fetched, what is far away is let go. */
  ensure: (first: number, last: number) => void;
  isLoading: boolean;
  /** Whether nothing is there at all. */
  isEmpty: boolean;
  fault: Fault | undefined;
  /** Begins again from the newest. */
  reload: () => void;
  /** Takes in a row that changed or is new. A new one waits in `fresh` until it is shown, so that nothing moves under a reader. */
  upsert: (node: N) => void;
  /** Takes in a row that changed, where it is held; one that is not stays out. */
  update: (node: N) => void;
  /** New rows that are not shown yet. */
  fresh: number;
  showFresh: () => void;
}

type PageVariables = AnyVariables & { first?: number | null; after?: string | null };

/** Pages of a connection for a virtual list. The document takes `$first` and `$after`; other variables begin a new list. */
export function usePager<D, V extends PageVariables, N>(
  document: TypedDocumentNode<D, V>,
  variables: Omit<V, "first" | "after">,
  options: PagerOptions<D, N>,
): Pager<N> {
  const { connection, keyOf, pageSize = 100, enabled = true } = options;
  const key = JSON.stringify(variables);
  const [generation, setGeneration] = useState(0);
  const [, render] = useState(0);
  const changed = useCallback(() => render((count) => count + 1), []);
  const pages = useMemo(
    () =>
      new Pages<N, Fault>({
        keyOf,
        changed,
        load: async (after) => {
          const asked = { ...parsed(key), first: pageSize, after } as unknown as V;
          const result = await client.query(document, asked, { requestPolicy: "network-only" }).toPromise();
          if (result.error) return { problem: faultOf(result.error) };
          const { nodes, pageInfo } = connection(result.data as D);
          return { nodes, end: pageInfo.hasNextPage ? (pageInfo.endCursor ?? undefined) : undefined };
        },
      }),
    // A new list for other variables, and when somebody asks for it. The two functions say the same each time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [document, key, pageSize, generation],
  );
  useEffect(() => {
    if (enabled) pages.ensure(0, 0);
    return () => pages.close();
  }, [pages, enabled]);
  return {
    count: pages.count,
    hasMore: pages.hasMore,
    rowAt: (index) => pages.rowAt(index),
    ensure: (first, last) => {
      if (enabled) pages.ensure(first, last);
    },
    isLoading: pages.isLoading || (enabled && !pages.hasBegun),
    isEmpty: pages.isEmpty,
    fault: pages.problem,
    reload: useCallback(() => setGeneration((count) => count + 1), []),
    upsert: (node) => pages.upsert(node),
    update: (node) => pages.upsert(node, true),
    fresh: pages.freshCount,
    showFresh: () => pages.showFresh(),
  };
}

function parsed(key: string): Record<string, unknown> {
  return JSON.parse(key) as Record<string, unknown>;
}
