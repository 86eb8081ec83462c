import { useEffect, useState } from "react";
import { useSource } from "../source";

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
export function usePayloadHits(text: string): PayloadHits {
  const source = useSource();
  const [found, setFound] = useState<Found | undefined>();
  const [after, setAfter] = useState<{ key: string; cursor: string } | undefined>();
  const isWanted = text.length >= SHORTEST && text.length <= LONGEST;
  const key = text;
  const cursor = after?.key === key ? after.cursor : undefined;
  useEffect(() => {
    if (!isWanted) return undefined;
    let stop: (() => void) | undefined;
    const timer = setTimeout(() => {
      stop = source.search(text, cursor).ask(({ data, fault }) => {
        if (!data) {
          if (fault) setFound({ key, excerpts: NONE, next: undefined, problem: fault.message });
          return;
        }
        setFound((before) => {
          const excerpts = new Map(before?.key === key && cursor !== undefined ? before.excerpts : []);
          for (const hit of data.hits) excerpts.set(Number(hit.position), hit.excerpt);
          return { key, excerpts, next: data.next };
        });
      });
    }, RESTS_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop?.();
    };
  }, [source, text, key, cursor, isWanted]);
  const own = isWanted && found?.key === key ? found : undefined;
  const next = own?.next;
  return {
    excerpts: own?.excerpts ?? NONE,
    isSearching: isWanted && (own === undefined || (cursor !== undefined && cursor === next)),
    problem: own?.problem,
    more: next === undefined ? undefined : () => setAfter({ key, cursor: next }),
  };
}
