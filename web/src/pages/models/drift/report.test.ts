import { describe, expect, it } from "vitest";
import { barOf, chanceWords, few, judgedOf, tallyOf, tallyWords, worstOf } from "./report";

const side = (observations: number, missing = 0, mean: number | null = null) => ({ observations, missing, mean });
const shift = (psi: number, verdict: "STABLE" | "MODERATE" | "DRIFTED") => ({ psi, pValue: 0.01, test: 0.5, verdict });

describe("judgedOf", () => {
  it("tells of a feature what is observed and what is missing apart", () => {
    const judged = judgedOf([
      {
        feature: "inputs.age",
        kind: "NUMBER",
        value: shift(0.02, "STABLE"),
        missing: shift(0.4, "DRIFTED"),
        baseline: side(100, 1, 40),
        window: side(60, 40, 41),
      },
    ]);
    expect(judged.map(({ isMissing, verdict, kind, counts }) => [isMissing, verdict, kind, counts])).toEqual([
      [false, "STABLE", "NUMBER", [100, 60]],
      [true, "DRIFTED", "CLASS", [1, 40]],
    ]);
    expect(judged[0]?.means).toEqual([40, 41]);
    expect(new Set(judged.map(({ key }) => key)).size).toBe(2);
  });

  it("says too few where nothing could be judged", () => {
    const few = judgedOf([
      { feature: "outputs.label.class", kind: "CLASS", value: null, missing: null, baseline: side(3), window: side(2) },
    ]);
    expect(few.map(({ verdict, shift }) => [verdict, shift])).toEqual([["TOO_FEW", null]]);
  });
});

describe("words", () => {
  it("count verdicts, the worst first", () => {
    const verdicts = (["STABLE", "DRIFTED", "STABLE", "TOO_FEW"] as const).map((verdict) => ({ verdict }));
    expect(tallyWords(tallyOf(verdicts))).toBe("1 drifted, 2 stable, 1 too few");
    expect(tallyWords(tallyOf([]))).toBe("nothing");
  });

  it("name the worst of a window", () => {
    expect(worstOf({ drifted: 1, moderate: 1, stable: 5 })).toBe("DRIFTED");
    expect(worstOf({ drifted: 0, moderate: 1, stable: 5 })).toBe("MODERATE");
    expect(worstOf({ drifted: 0, moderate: 0, stable: 5 })).toBe("STABLE");
    expect(worstOf({ drifted: 0, moderate: 0, stable: 0 })).toBe("TOO_FEW");
  });

  it("write numbers in as many digits as people read", () => {
    expect([few(null), chanceWords(null)]).toEqual(["–", "–"]);
    expect(few(0)).toBe("0");
    expect(chanceWords(0.000_001)).toBe("< 0.0001");
    expect(chanceWords(1)).toBe("1");
  });
});

describe("barOf", () => {
  it("ends at twice the bound of drift, whatever comes", () => {
    const bounds = { moderate: 0.1, drifted: 0.25 };
    expect(barOf(0.25, bounds)).toEqual({ filled: 0.5, moderate: 0.2, drifted: 0.5 });
    expect(barOf(9, bounds).filled).toBe(1);
    expect(barOf(0, bounds).filled).toBe(0);
  });
});
