/** What was done, and what was undone and can be done again. */
export interface History<S> {
  past: readonly S[];
  present: S;
  future: readonly S[];
  /** What the last edit was: the next one of the same name becomes part of it. */
  merge: string | undefined;
}

const STEPS_MAX = 200;

export function begin<S>(present: S): History<S> {
  return { past: [], present, future: [], merge: undefined };
}

/** Takes an edit down. Edits in a row with the same `merge`, such as letters of one field, are undone at once. */
export function record<S>(history: History<S>, next: S, merge?: string): History<S> {
  if (next === history.present) return history;
  const isPart = merge !== undefined && merge === history.merge && history.past.length > 0;
  const past = isPart ? history.past : [...history.past, history.present].slice(-STEPS_MAX);
  return { past, present: next, future: [], merge };
}

export function undo<S>(history: History<S>): History<S> {
  const before = history.past.at(-1);
  if (before === undefined) return history;
  return {
    past: history.past.slice(0, -1),
    present: before,
    future: [history.present, ...history.future],
    merge: undefined,
  };
}

export function redo<S>(history: History<S>): History<S> {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.present], present: next, future, merge: undefined };
}
