import { useCallback, useEffect, useMemo, useState } from "react";
import { type Fault, client, faultOf } from "@/api";
import type { EventFilter } from "@/gql/schema";
import { EventsStretch, EventsWithText, type Row } from "./documents";
import { Stretch, type StretchSource } from "./stretch";

const PAGE = 100;
/** A hit brings its excerpt, which costs more. */
const HITS = 30;

/** An answer without data and without an error, which no server gives. */
const NOTHING: { problem: Fault } = {
  problem: {
    kind: "fault",
    code: "NO_DATA",
    message: "The answer was empty.",
    advice: "Try again.",
    requestId: undefined,
  },
};

function sourceOf(
  filter: EventFilter,
  query: string | undefined,
  waitFor: string | undefined,
  changed: () => void,
): StretchSource<Row, Fault> {
  const fresh = { requestPolicy: "network-only" as const };
  return {
    positionOf: (row) => row.position,
    changed,
    older: async ({ upTo, after }) => {
      const asOf = upTo === undefined ? undefined : { position: upTo };
      if (query !== undefined) {
        const { data, error } = await client
          .query(EventsWithText, { query, first: HITS, after, asOf, filter }, fresh)
          .toPromise();
        if (error) return { problem: faultOf(error) };
        if (!data) return NOTHING;
        const { nodes, pageInfo, extent } = data.searchPayloads;
        const end = extent.complete
          ? pageInfo.hasNextPage
            ? (pageInfo.endCursor ?? undefined)
            : undefined
          : (extent.goOnAt ?? pageInfo.endCursor ?? undefined);
        return {
          rows: nodes.map((hit) => ({ ...hit.event, excerpt: hit.excerpt })),
          end,
          head: data.head.position,
          searched: extent.searchedEvents,
          isCut: !extent.complete && end !== undefined,
        };
      }
      const variables = { first: PAGE, after, asOf, direction: "BACKWARD" as const, filter, waitFor };
      let { data, error } = await client.query(EventsStretch, variables, fresh).toPromise();
      // Behind the end of the log there is nothing: the newest is what is nearest.
      if (error && faultOf(error).code === "POSITION_NOT_REACHED")
        ({ data, error } = await client.query(EventsStretch, { ...variables, asOf: undefined }, fresh).toPromise());
      if (error) return { problem: faultOf(error) };
      if (!data) return NOTHING;
      const { nodes, pageInfo } = data.events;
      const end = pageInfo.hasNextPage ? (pageInfo.endCursor ?? undefined) : undefined;
      return { rows: nodes, end, head: data.head.position };
    },
    newer: async (from) => {
      const variables = { first: PAGE, from, direction: "FORWARD" as const, filter };
      const { data, error } = await client.query(EventsStretch, variables, fresh).toPromise();
      if (error) return { problem: faultOf(error) };
      if (!data) return NOTHING;
      return { rows: data.events.nodes, hasMore: data.events.pageInfo.hasNextPage };
    },
  };
}

/** Events come in bursts; one picture of them is enough. */
function oncePerFrame(run: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      run();
    });
  };
}

/** The events around a place that pass a filter, and how to begin anew. */
export function useStretch(
  filter: EventFilter,
  query: string | undefined,
  anchor: string | undefined,
  waitFor: string | undefined,
) {
  const [generation, setGeneration] = useState(0);
  const [, render] = useState(0);
  const key = JSON.stringify(filter);
  const stretch = useMemo(() => {
    const changed = oncePerFrame(() => render((count) => count + 1));
    return new Stretch(sourceOf(JSON.parse(key) as EventFilter, query, waitFor, changed), anchor);
    // A new one also when somebody asks for it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, query, anchor, generation]);
  useEffect(() => {
    stretch.ensure(0, 0);
    return () => stretch.close();
  }, [stretch]);
  return { stretch, reload: useCallback(() => setGeneration((count) => count + 1), []) };
}
