import { type AnyVariables, type TypedDocumentNode } from "@urql/core";
import { useEffect, useState } from "react";
import { type Fault, client, faultOf } from "@/api";

/** While somebody scrubs, only where they stop is asked for. */
const SETTLES_AFTER_MS = 90;

export interface Exact<D> {
  data: D | undefined;
  fault: Fault | undefined;
  /** What is shown is of another moment; the right one is on its way. */
  isStale: boolean;
}

/**
 * Something as of a moment. What it was does not change, so an answer is kept; what is no longer looked at is not asked for any
 * more. The last answer stays until the next is there.
 */
export function useExact<D, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>,
  variables: V | undefined,
): Exact<D> {
  const key = variables === undefined ? undefined : JSON.stringify(variables);
  const [state, setState] = useState<{ key: string | undefined; data?: D; fault?: Fault }>({ key: undefined });
  useEffect(() => {
    if (key === undefined) return undefined;
    let stop: (() => void) | undefined;
    const asked = JSON.parse(key) as V;
    const ask = () => {
      const subscription = client.query(document, asked, { requestPolicy: "cache-first" }).subscribe((result) => {
        if (result.data === undefined && !result.error) return;
        setState({ key, data: result.data, fault: result.error && faultOf(result.error) });
      });
      stop = () => subscription.unsubscribe();
    };
    const timer = setTimeout(ask, client.readQuery(document, asked) ? 0 : SETTLES_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop?.();
    };
  }, [document, key]);
  if (key === undefined) return { data: undefined, fault: undefined, isStale: false };
  return { data: state.data, fault: state.key === key ? state.fault : undefined, isStale: state.key !== key };
}
