import { useSyncExternalStore } from "react";

const query = () => window.matchMedia("(min-width: 1024px)");

function subscribe(listener: () => void): () => void {
  const asked = query();
  asked.addEventListener("change", listener);
  return () => asked.removeEventListener("change", listener);
}

/** Whether there is room for two panes beside each other. */
export function useIsWide(): boolean {
  return useSyncExternalStore(subscribe, () => query().matches);
}
