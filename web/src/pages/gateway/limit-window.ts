const DAY_MS = 86_400_000;

/** When the present window of a budget began: windows are counted from 1970. */
export function windowStart(windowMs: number, now: number): number {
  return Math.floor(now / windowMs) * windowMs;
}

/** Whether what was spent in the window can be read: sums are kept by days of UTC, so that the window must be whole days. */
export function isOfWholeDays(windowMs: number): boolean {
  return windowMs > 0 && windowMs % DAY_MS === 0;
}

/** A length as a form shows it: in days where it is whole days, else in hours or minutes. */
export function windowWords(windowMs: number): string {
  const units: [string, number][] = [
    ["day", DAY_MS],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ];
  for (const [word, size] of units) {
    if (windowMs % size !== 0) continue;
    const count = windowMs / size;
    return count === 1 ? word : `${count} ${word}s`;
  }
  return `${windowMs} ms`;
}
