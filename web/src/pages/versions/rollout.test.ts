import { expect, test } from "vitest";
import { guardWords, rateWords, wholeNumber } from "./rollout";

test("a guard is told with its window and its comparison", () => {
  const guard = { errorPercentMax: 5, executionsMin: 20, windowMinutes: null, onlyIfWorse: false };
  expect(guardWords(null)).toBe("Nothing rolls it back by itself.");
  expect(guardWords(guard)).toBe("It is rolled back when more than 5 % of at least 20 executions fail.");
  expect(guardWords({ ...guard, executionsMin: 1, windowMinutes: 30, onlyIfWorse: true })).toBe(
    "It is rolled back when more than 5 % of at least 1 execution fail within 30 minutes, and the active version fails less often.",
  );
});

test("a rate has one digit behind the point, and none of nothing", () => {
  expect(rateWords(0.0256)).toBe("2.6 %");
  expect(rateWords(0)).toBe("0 %");
  expect(rateWords(null)).toBe("–");
});

test("only whole numbers between the bounds are taken", () => {
  expect(wholeNumber(" 20 ", 1, 99)).toBe(20);
  for (const text of ["", "0", "100", "2.5", "-1", "x"]) expect(wholeNumber(text, 1, 99)).toBeUndefined();
});
