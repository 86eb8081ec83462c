import { useEffect, useState } from "react";
import { client, faultOf } from "@/api";
import { ExecutionSearchPayloads } from "../documents";

export interface PayloadHits {
  /** Pieces of payloads that hold the text, by position. */
  excerpts: ReadonlyMap<number, string>;
  isSearching: boolean;
  problem: string | undefined;
  /** Searches further; absent when everything was looked at. */
  more: (() => void) | undefined;
}

interface Found {
  key: string;
  excerpts: ReadonlyMap<number, string>;
  next: string | undefined;
  problem?: string;
}

const NONE: ReadonlyMap<number, string> = new Map();
const SHORTEST = 2;
const LONGEST = 200;
const RESTS_AFTER_MS = 250;

/** Looks for a text in the payloads of an execution's events. */
export function usePayloadHits(id: string, text: string): PayloadHits {
  const [found, setFound] = useState<Found | undefined>();
  const [after, setAfter] = useState<{ key: string; cursor: string } | undefined>();
  const isWanted = text.length >= SHORTEST && text.length <= LONGEST;
  const key = `${id} ${text}`;
  const cursor = after?.key === key ? after.cursor : undefined;
  useEffect(() => {
    if (!isWanted) return undefined;
    let stop: (() => void) | undefined;
    const timer = setTimeout(() => {
      const filter = { stream: { category: "execution", id } };
      const subscription = client
        .query(ExecutionSearchPayloads, { query: text, filter, after: cursor }, { requestPolicy: "network-only" })
        .subscribe(({ data, error }) => {
          if (!data) {
            if (error) setFound({ key, excerpts: NONE, next: undefined, problem: faultOf(error).message });
            return;
          }
          const { nodes, pageInfo, extent } = data.searchPayloads;
          setFound((before) => {
            const excerpts = new Map(before?.key === key && cursor !== undefined ? before.excerpts : []);
            for (const hit of nodes) excerpts.set(Number(hit.position), hit.excerpt);
            const next = extent.goOnAt ?? (pageInfo.hasNextPage ? pageInfo.endCursor : undefined);
            return { key, excerpts, next: next ?? undefined };
          });
        });
      stop = () => subscription.unsubscribe();
    }, RESTS_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop?.();
    };
  }, [id, text, key, cursor, isWanted]);
  const own = isWanted && found?.key === key ? found : undefined;
  const next = own?.next;
  return {
    excerpts: own?.excerpts ?? NONE,
    isSearching: isWanted && (own === undefined || (cursor !== undefined && cursor === next)),
    problem: own?.problem,
    more: next === undefined ? undefined : () => setAfter({ key, cursor: next }),
  };
}
