import { freshId } from "./ids";

export interface ToastInput {
  tone: "good" | "bad" | "info";
  title: string;
  text?: string;
  /** What can be done. */
  advice?: string;
  requestId?: string;
  action?: { label: string; run: () => void };
}

export interface ToastShown extends ToastInput {
  id: string;
}

let shown: readonly ToastShown[] = [];
const listeners = new Set<() => void>();

function set(next: readonly ToastShown[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Says something for a while, in a corner of the window. */
export function toast(input: ToastInput): void {
  set([...shown.slice(-4), { ...input, id: freshId() }]);
}

export const toasts = {
  all: () => shown,
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  dismiss: (id: string) => set(shown.filter((one) => one.id !== id)),
};
