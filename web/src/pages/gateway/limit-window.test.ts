import { expect, test } from "vitest";
import { windowWords } from "./limit-window";

const DAY = 86_400_000;

test("a window is told in the largest unit that fits", () => {
  expect([DAY, 30 * DAY, 3_600_000, 90 * 60_000, 1_500].map(windowWords)).toEqual([
    "day",
    "30 days",
    "hour",
    "90 minutes",
    "1500 ms",
  ]);
});
