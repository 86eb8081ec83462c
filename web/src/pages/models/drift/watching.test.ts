import { describe, expect, it } from "vitest";
import { watchDraft, watchOf } from "./watching";

const BOUNDS = { moderate: 0.1, drifted: 0.25, p: 0.05 };

describe("a watch", () => {
  it("is at first against the newest 500, by windows of 200", () => {
    expect(watchOf("iris", watchDraft(undefined), false)).toEqual({
      input: { name: "iris", window: 200, baselineNewest: 500, bounds: BOUNDS, replace: false },
    });
  });

  it("is changed from how it is set", () => {
    const baseline = { from: "2026-03-01T00:00:00.000Z", until: "2026-03-08T00:00:00.000Z", newest: null };
    const bounds = { moderate: 0.2, drifted: 0.3, p: 0.01 };
    const draft = watchDraft({ window: 50, version: 2, alias: "prod", baseline, bounds });
    expect(watchOf("iris", draft, true)).toEqual({
      input: {
        name: "iris",
        window: 50,
        version: 2,
        alias: "prod",
        baseline: { from: baseline.from, until: baseline.until },
        bounds,
        replace: true,
      },
    });
    expect(watchOf("iris", watchDraft({ baseline: { newest: 40 } }), true)).toHaveProperty("input.baselineNewest", 40);
  });

  it("tells what is wrong at its field", () => {
    const draft = watchDraft(undefined);
    const words = "A whole number from 20 to 2,000.";
    expect(watchOf("iris", { ...draft, window: "19", newest: "2001" }, false)).toEqual({
      problems: { window: words, newest: words },
    });
    expect(watchOf("iris", { ...draft, by: "time", newest: "" }, false)).toEqual({
      problems: { time: "Say when it begins and when it ends." },
    });
    const bounds = { moderate: "0", drifted: "101", chance: "2" };
    expect(watchOf("iris", { ...draft, bounds }, false)).toEqual({
      problems: { moderate: "Above 0.", drifted: "Above 0 and at most 100.", chance: "Above 0 and at most 1." },
    });
  });
});
