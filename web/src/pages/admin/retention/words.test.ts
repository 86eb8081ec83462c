import { expect, test } from "vitest";
import { changeOf, daysOf, doerOf, forecastOf, forecastWords, keptWords, labelOf, statusOf } from "./words";

const NOW = Date.parse("2026-11-27T09:30:00Z");
const day = (text: string) => Date.parse(`${text}T00:00:00Z`) / 86_400_000;

test("a time is said as people say it", () => {
  expect(keptWords(null)).toBe("for ever");
  expect(keptWords(1)).toBe("for 1 day");
  expect(labelOf("model-call")).toBe("Model calls");
  expect(labelOf("something-new")).toBe("something-new");
});

test("only a number of days that can be is taken", () => {
  expect(daysOf(" 90 ")).toBe(90);
  expect(daysOf("36525")).toBe(36_525);
  for (const text of ["", "0", "36526", "-1", "1.5", "1e3", "ninety"]) expect(daysOf(text)).toBeUndefined();
});

test("for ever is longer than any number of days", () => {
  expect(changeOf(null, 36_525)).toBe("shorter");
  expect(changeOf(30, null)).toBe("longer");
  expect(changeOf(30, 31)).toBe("longer");
  expect(changeOf(null, null)).toBe("same");
});

test("a day goes once all of it is older than the retention", () => {
  const since = "2026-10-26T23:59:00Z";
  expect(forecastOf({ since, lastDay: null }, 30, NOW)).toEqual({
    kind: "over",
    from: day("2026-10-26"),
    upTo: day("2026-10-27"),
  });
  expect(forecastOf({ since, lastDay: null }, 32, NOW)).toEqual({
    kind: "later",
    first: day("2026-10-26"),
    goesOn: day("2026-11-28"),
  });
});

test("what went does not go again, and where there was no retention only what begins now goes", () => {
  expect(forecastOf({ since: "2026-01-01T00:00:00Z", lastDay: "2026-10-27" }, 30, NOW)).toEqual({
    kind: "later",
    first: day("2026-10-28"),
    goesOn: day("2026-11-28"),
  });
  expect(forecastOf({ since: null, lastDay: null }, 1, NOW)).toEqual({
    kind: "later",
    first: day("2026-11-27"),
    goesOn: day("2026-11-29"),
  });
});

test("a hold is told beside what would go", () => {
  const over = { kind: "over", from: day("2026-10-26"), upTo: day("2026-10-26") } as const;
  expect(forecastWords(over, false)).toMatch(/^What began on .*2026.* is old enough: it goes within the hour/);
  expect(forecastWords(over, true)).toMatch(/stays until the hold is released\.$/);
  expect(forecastWords({ kind: "later", first: 1, goesOn: 3 }, false)).toMatch(/^Nothing is old enough yet\./);
});

test("a request is told before a hold, and a hold before the time", () => {
  const kept = { request: null, holds: [], days: null };
  expect(statusOf(kept).words).toBe("kept for ever");
  const actor = { kind: "user", name: "1", displayName: "Ada" };
  const held = { ...kept, days: 30, holds: [{ name: "case 7", reason: "court", actor, release: null }] };
  expect(statusOf(held).words).toBe("on hold");
  expect(statusOf({ ...held, request: { days: 7, reason: "policy", by: "user:1" } }).words).toBe("to be approved");
});

test("who asked is read of what the server says", () => {
  expect(doerOf("user:0190f3c0")).toEqual({ kind: "user", name: "0190f3c0" });
  expect(doerOf("external:a:b")).toEqual({ kind: "external", name: "a:b" });
});
