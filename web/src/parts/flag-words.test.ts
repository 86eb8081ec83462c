import { expect, test } from "vitest";
import { numbersOf, rolloutWords } from "./flag-words";

test("a roll-out is said as people say it", () => {
  expect(rolloutWords({ percent: 0, onFor: [3, 7], offFor: [] })).toBe("for no tenant and 3, 7");
  expect(rolloutWords({ percent: 20, onFor: [], offFor: [9] })).toBe("for 20 % of the tenants but not 9");
  expect(rolloutWords({ percent: 100, onFor: [], offFor: [] })).toBe("for all tenants");
});

test("numbers are read, and anything else is not guessed at", () => {
  expect(numbersOf(" 3, 7 9")).toEqual([3, 7, 9]);
  expect(numbersOf("")).toEqual([]);
  expect(numbersOf("3, x")).toBeUndefined();
  expect(numbersOf("-1")).toBeUndefined();
});
