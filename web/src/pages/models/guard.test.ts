import { describe, expect, it } from "vitest";
import { FIRST_DRAFT, guardOf } from "./guard";

const draft = (part: Partial<typeof FIRST_DRAFT>) => guardOf({ ...FIRST_DRAFT, ...part });

describe("guardOf", () => {
  it("gives a rate as a part of 1, and a latency in milliseconds", () => {
    expect(draft({ bound: " 2.5 " })).toEqual({ guard: { metric: "ERROR_RATE", bound: 0.025, fewest: 100 } });
    expect(draft({ metric: "LATENCY_P95", bound: "250", fewest: "1" })).toEqual({
      guard: { metric: "LATENCY_P95", bound: 250, fewest: 1 },
    });
  });

  it("has a tolerance where answers are compared alone", () => {
    expect(draft({ metric: "DISAGREEMENT", bound: "5", tolerance: "0.01" })).toEqual({
      guard: { metric: "DISAGREEMENT", bound: 0.05, fewest: 100, tolerance: 0.01 },
    });
    expect(draft({ bound: "5", tolerance: "9" })).toEqual({
      guard: { metric: "ERROR_RATE", bound: 0.05, fewest: 100 },
    });
    expect(draft({ metric: "DISAGREEMENT", bound: "5", tolerance: "2" })).toHaveProperty("problems.tolerance");
  });

  it("tells what is wrong at its field", () => {
    for (const bound of ["", "0", "100", "-1", "1e9", "two"])
      expect(draft({ bound }), bound).toEqual({ problems: { bound: "More than 0 and less than 100." } });
    expect(draft({ metric: "LATENCY_P95", bound: "600001" })).toHaveProperty("problems.bound");
    for (const fewest of ["", "0", "1.5", "1000001"])
      expect(draft({ bound: "1", fewest }), fewest).toHaveProperty("problems.fewest");
  });
});
