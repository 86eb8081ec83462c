import { useCallback, useSyncExternalStore } from "react";

/** Whether the window is so many pixels wide: whether there is room for panes beside each other. */
export function useIsWide(from = 1024): boolean {
  const query = `(min-width: ${from}px)`;
  const subscribe = useCallback(
    (listener: () => void) => {
      const asked = matchMedia(query);
      asked.addEventListener("change", listener);
      return () => asked.removeEventListener("change", listener);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches);
}
