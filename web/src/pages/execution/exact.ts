import { useEffect, useRef, useState } from "react";
import type { Fault } from "@/api";

/** While somebody scrubs, only where they stop is asked for. What is shown first is asked for at once. */
const SETTLES_AFTER_MS = 90;

export interface Answer<D> {
  data?: D;
  fault?: Fault;
}

/** Something as of a moment. What it was does not change, so that a key has one answer for ever. */
export interface Question<D> {
  /** Names the question among all of its kind. */
  key: string;
  /** Whether the answer is at hand, so that nobody has to be asked. */
  isAtHand: () => boolean;
  /** Asks, and answers how to ask no more. What is answered twice is told twice. */
  ask: (take: (answer: Answer<D>) => void) => () => void;
}

export interface Exact<D> {
  data: D | undefined;
  fault: Fault | undefined;
  /** What is shown is of another moment; the right one is on its way. */
  isStale: boolean;
}

/** The answer to a question; what is no longer wanted is not asked for any more. The last answer stays until the next is there. */
export function useExact<D>(question: Question<D> | undefined): Exact<D> {
  const key = question?.key;
  const latest = useRef(question);
  useEffect(() => {
    latest.current = question;
  });
  const [state, setState] = useState<{ key: string | undefined } & Answer<D>>({ key: undefined });
  const isFirst = useRef(true);
  useEffect(() => {
    const asked = latest.current;
    if (key === undefined || !asked) return undefined;
    let stop: (() => void) | undefined;
    const ask = () => {
      stop = asked.ask((answer) => setState({ key, ...answer }));
    };
    const timer = setTimeout(ask, isFirst.current || asked.isAtHand() ? 0 : SETTLES_AFTER_MS);
    isFirst.current = false;
    return () => {
      clearTimeout(timer);
      stop?.();
    };
  }, [key]);
  if (key === undefined) return { data: undefined, fault: undefined, isStale: false };
  return { data: state.data, fault: state.key === key ? state.fault : undefined, isStale: state.key !== key };
}
