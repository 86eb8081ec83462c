import { expect, test } from "vitest";
import { isOfWholeDays, windowStart, windowWords } from "./limit-window";

const DAY = 86_400_000;

test("windows are counted from 1970", () => {
  expect(windowStart(7 * DAY, Date.parse("1970-01-10T05:00:00Z"))).toBe(Date.parse("1970-01-08T00:00:00Z"));
  expect(windowStart(DAY, Date.parse("2026-03-14T23:59:59.999Z"))).toBe(Date.parse("2026-03-14T00:00:00Z"));
});

test("a window is told in the largest unit that fits", () => {
  expect([DAY, 30 * DAY, 3_600_000, 90 * 60_000, 1_500].map(windowWords)).toEqual([
    "day",
    "30 days",
    "hour",
    "90 minutes",
    "1500 ms",
  ]);
  expect([DAY, DAY / 2].map(isOfWholeDays)).toEqual([true, false]);
});
