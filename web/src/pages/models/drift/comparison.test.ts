import { describe, expect, it } from "vitest";
import { askedOf, draftOf, variablesOf } from "./comparison";

const NOW = Date.parse("2026-03-14T12:00:00Z");
const first = draftOf({}, NOW);

const TIMES = {
  compare: "times" as const,
  baselineFrom: "2026-03-01T00:00:00.000Z",
  baselineUntil: "2026-03-08T00:00:00.000Z",
  windowFrom: "2026-03-08T00:00:00.000Z",
  windowUntil: "2026-03-09T00:00:00.000Z",
};

describe("draftOf and askedOf", () => {
  it("leave out of the address what is as usual", () => {
    expect(askedOf(first)).toEqual({ asked: { compare: "newest" } });
  });

  it("offer the last day with the week before it", () => {
    const { window, baseline } = first;
    expect(Date.parse(window.until) - Date.parse(window.from)).toBe(86_400_000);
    expect(window.from).toBe(baseline.until);
    expect(askedOf({ ...first, by: "times" })).toHaveProperty("asked.windowUntil", "2026-03-14T12:00:00.000Z");
  });

  it("say the same again when an address is opened, in whatever zone", () => {
    const asked = { ...TIMES, version: 3, alias: "prod", moderate: 0.2, drifted: 0.4, chance: 0.01 };
    expect(askedOf(draftOf(asked, NOW))).toEqual({ asked });
    const newest = { compare: "newest" as const, last: 50 };
    expect(askedOf(draftOf(newest, NOW))).toEqual({ asked: newest });
  });

  it("tell what is wrong at its field", () => {
    for (const last of ["", "19", "1001", "1.5", "many"])
      expect(askedOf({ ...first, last }), last).toEqual({ problems: { last: "A whole number from 20 to 1,000." } });
    const backwards = { from: "2026-03-02T00:00", until: "2026-03-01T00:00" };
    const wrong = askedOf({ ...first, by: "times", baseline: { from: "", until: "" }, window: backwards });
    expect(wrong).toEqual({
      problems: { baseline: "Say when it begins and when it ends.", window: "It has to begin before it ends." },
    });
    const bounds = { moderate: "0.5", drifted: "0.2", chance: "0" };
    expect(askedOf({ ...first, last: "1", bounds })).toEqual({
      problems: {
        last: "A whole number from 20 to 1,000.",
        moderate: "At most that of drift.",
        chance: "Above 0 and at most 1.",
      },
    });
  });

  it("ask nothing of the fields that are not shown", () => {
    expect(askedOf({ ...first, window: { from: "", until: "" } })).toHaveProperty("asked");
    expect(askedOf({ ...first, by: "times", last: "" })).toHaveProperty("asked");
  });
});

describe("variablesOf", () => {
  it("asks for nothing before a comparison is, nor for half of one", () => {
    expect(variablesOf("iris", { version: 2 })).toBeUndefined();
    expect(variablesOf("iris", { ...TIMES, windowUntil: undefined })).toBeUndefined();
  });

  it("gives the usual where the address says nothing", () => {
    const bounds = { moderate: 0.1, drifted: 0.25, p: 0.05 };
    expect(variablesOf("iris", { compare: "newest" })).toEqual({ name: "iris", last: 500, bounds });
    expect(variablesOf("iris", { ...TIMES, alias: "prod" })).toEqual({
      name: "iris",
      alias: "prod",
      bounds,
      baseline: { from: TIMES.baselineFrom, until: TIMES.baselineUntil },
      window: { from: TIMES.windowFrom, until: TIMES.windowUntil },
    });
  });
});
