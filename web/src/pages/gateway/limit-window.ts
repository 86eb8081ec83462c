const DAY_MS = 86_400_000;

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
