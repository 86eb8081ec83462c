import { useEffect, useRef } from "react";

/** Something that the palette offers. */
export interface Action {
  id: string;
  label: string;
  /** Words by which it is found too. */
  keywords?: string;
  /** Under which heading; that of the page where it is absent. */
  group?: string;
  run: () => void;
}

let actions: readonly Action[] = [];
const listeners = new Set<() => void>();

export const actionRegistry = {
  all: () => actions,
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};

function set(next: readonly Action[]): void {
  actions = next;
  for (const listener of listeners) listener();
}

/** Actions that the palette offers while a component is there. */
export function useActions(own: readonly Action[]): void {
  const latest = useRef(own);
  useEffect(() => {
    latest.current = own;
  });
  const shape = own.map((action) => `${action.id}\t${action.label}`).join("\n");
  useEffect(() => {
    const added = latest.current.map((action) => ({
      ...action,
      run: () => latest.current.find((one) => one.id === action.id)?.run(),
    }));
    set([...actions, ...added]);
    return () => set(actions.filter((action) => !added.includes(action)));
  }, [shape]);
}
