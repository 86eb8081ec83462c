import { expect, test } from "vitest";
import { bucketsOf, quantile } from "./metrics";

const at = (seconds: number) => new Date(seconds * 1000).toISOString();

test("inferences fall into the bucket in which they came", () => {
  const inferences = [
    { askedAt: at(1), status: "COMPLETED", queueUs: 10, computeUs: 90 },
    { askedAt: at(2), status: "FAILED", queueUs: null, computeUs: null },
    { askedAt: at(15), status: "COMPLETED", queueUs: 0, computeUs: 50 },
    { askedAt: at(99), status: "COMPLETED", queueUs: 0, computeUs: 50 },
  ];
  expect(bucketsOf(inferences, [], 0, 20_000, 10_000)).toEqual([
    { at: 0, count: 2, failed: 1, p50Us: 100, p95Us: 100 },
    { at: 10, count: 1, failed: 0, p50Us: 50, p95Us: 50 },
  ]);
});

test("sums count with the bounds that they tell", () => {
  const sums = [{ from: at(0), until: at(5), completed: 100, latencyCounts: [0, 0, 90, 10] }];
  expect(bucketsOf([], sums, 0, 10_000, 10_000)).toMatchObject([{ count: 100, p50Us: 4, p95Us: 8 }]);
});

test("quantiles are values that there are", () => {
  expect(quantile([5, 1, 3], 0.5)).toBe(3);
  expect(quantile([], 0.5)).toBeNull();
});
