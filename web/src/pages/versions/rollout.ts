/** What a roll-out's guard says, in words. */
export interface Guard {
  errorPercentMax: number;
  executionsMin: number;
  windowMinutes: number | null;
  onlyIfWorse: boolean;
}

export function guardWords(guard: Guard | null): string {
  if (!guard) return "Nothing rolls it back by itself.";
  const window = guard.windowMinutes === null ? "" : ` within ${minutes(guard.windowMinutes)}`;
  const worse = guard.onlyIfWorse ? ", and the active version fails less often" : "";
  const executions = guard.executionsMin === 1 ? "1 execution" : `${guard.executionsMin} executions`;
  return `It is rolled back when more than ${guard.errorPercentMax} % of at least ${executions} fail${window}${worse}.`;
}

function minutes(count: number): string {
  return count === 1 ? "a minute" : `${count} minutes`;
}

/** A part of those that ended, such as "2.5 %"; nothing when none has. */
export function rateWords(rate: number | null): string {
  return rate === null ? "–" : `${(Math.round(rate * 1_000) / 10).toString()} %`;
}

/** A whole number that somebody wrote, if it is one between the bounds. */
export function wholeNumber(text: string, min: number, max: number): number | undefined {
  const number = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  return number >= min && number <= max ? number : undefined;
}
