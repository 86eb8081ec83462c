/** How far a change of many things is. */
export interface Tally<T> {
  done: number;
  failed: readonly { item: T; why: string }[];
  /** What was not tried, because it was stopped or the server could not be reached. */
  left: number;
}

/** What became of one: done, refused for a reason, or nothing can be done at all for the moment. */
export type One = { kind: "done" } | { kind: "refused"; why: string } | { kind: "stop"; why: string };

/**
 * Changes many things, some at a time. What is refused is taken down and the rest goes on; when the server cannot be reached, or
 * `isStopped` says so, nothing more is begun.
 */
export async function runAll<T>(
  items: readonly T[],
  doOne: (item: T) => Promise<One>,
  tell: (tally: Tally<T>) => void = () => undefined,
  isStopped: () => boolean = () => false,
  atATime = 4,
): Promise<Tally<T>> {
  const failed: { item: T; why: string }[] = [];
  let done = 0;
  let next = 0;
  let isOver = false;
  const tally = () => ({ done, failed: [...failed], left: items.length - done - failed.length });
  const work = async () => {
    while (!isOver && !isStopped() && next < items.length) {
      const item = items[next] as T;
      next += 1;
      const one = await doOne(item);
      if (one.kind === "done") done += 1;
      else failed.push({ item, why: one.why });
      if (one.kind === "stop") isOver = true;
      tell(tally());
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, work));
  return tally();
}
