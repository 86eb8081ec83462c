import { useCallback, useSyncExternalStore } from "react";

const queries = new Map<number, MediaQueryList>();

/** The browser's answer, kept: asking anew takes time with each drawing. */
function queryOf(from: number): MediaQueryList {
  const known = queries.get(from) ?? matchMedia(`(min-width: ${from}px)`);
  queries.set(from, known);
  return known;
}

/** Whether the window is so many pixels wide: whether there is room for panes beside each other. */
export function useIsWide(from = 1024): boolean {
  const subscribe = useCallback(
    (listener: () => void) => {
      const asked = queryOf(from);
      asked.addEventListener("change", listener);
      return () => asked.removeEventListener("change", listener);
    },
    [from],
  );
  return useSyncExternalStore(subscribe, () => queryOf(from).matches);
}
