import { useSyncExternalStore } from "react";

/** What Chromium tells of when the app could be installed; no standard type has it. */
interface InstallOffer extends Event {
  prompt: () => Promise<unknown>;
}

let offer: InstallOffer | undefined;
const listeners = new Set<() => void>();

function set(next: InstallOffer | undefined): void {
  offer = next;
  for (const listener of listeners) listener();
}

/** Keeps the browser's offer to install the app until somebody wants it; begins before the first page is drawn. */
export function listenToOffers(): void {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    set(event as InstallOffer);
  });
  addEventListener("appinstalled", () => set(undefined));
}

/** Asks the browser to install the app; absent where it offers none, or has done it. */
export function useInstall(): (() => void) | undefined {
  const present = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => offer,
  );
  if (!present) return undefined;
  return () => {
    // An offer can be taken once; the browser makes another one when it is refused.
    set(undefined);
    void present.prompt();
  };
}

/** Whether the page is in a window of its own already. */
export function isInstalled(): boolean {
  return matchMedia("(display-mode: standalone)").matches;
}
