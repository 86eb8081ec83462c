import { expect, it } from "vitest";
import { dearer, longerMs } from "./totals";

const side = (tookMs: number | undefined, costs: readonly string[], hasNextPage = false) => ({
  execution: {
    startedAt: "2026-03-14T12:00:00.000Z",
    endedAt: tookMs === undefined ? null : new Date(Date.parse("2026-03-14T12:00:00Z") + tookMs).toISOString(),
  },
  modelCalls: { nodes: costs.map((cost) => ({ cost, currency: "USD" })), pageInfo: { hasNextPage } },
});

it("tells how much longer and dearer the right one was", () => {
  expect(longerMs(side(100, []), side(350, []))).toBe(250);
  expect(longerMs(side(350, []), side(100, []))).toBe(-250);
  expect(dearer(side(1, ["0.25"]), side(1, ["0.25", "0.5"]))).toEqual([["USD", 0.5]]);
  expect(dearer(side(1, ["0.25"]), side(1, []))).toEqual([["USD", -0.25]]);
});

it("tells nothing that it does not know", () => {
  expect(longerMs(side(100, []), side(undefined, []))).toBeUndefined();
  expect(dearer(side(1, ["1"], true), side(1, ["2"]))).toEqual([]);
});
