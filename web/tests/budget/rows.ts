import { expect } from "@playwright/test";

/** A figure beside what it may be; above it the test fails, but goes on. */
export function atMost(what: string, value: number, budget: number, unit: string): void {
  print(what, value.toFixed(1), unit, value <= budget, `at most ${budget}`);
}

/** A figure beside what it has to reach. */
export function atLeast(what: string, value: number, budget: number): void {
  print(what, value.toFixed(0), "", value >= budget, `at least ${budget}`);
}

function print(what: string, value: string, unit: string, isWithin: boolean, budget: string): void {
  console.log(`${what.padEnd(56)} ${value.padStart(7)} ${unit.padEnd(2)}  ${isWithin ? "within" : "OVER"}  ${budget}`);
  expect.soft(isWithin, `${what}: ${value} ${unit}, ${budget}`).toBe(true);
}

/** The value below which this share of all lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export const median = (values: readonly number[]) => quantile(values, 0.5);
