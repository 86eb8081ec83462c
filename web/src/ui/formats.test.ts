import { expect, test } from "vitest";
import { ago, bytes, duration, money } from "./formats";

test("lengths of time have the unit that fits", () => {
  expect([0.25, 12.345, 3_400, 125_000, 3_840_000, 90_000_000].map(duration)).toEqual([
    "250 µs",
    "12.3 ms",
    "3.4 s",
    "2 min 5 s",
    "1 h 4 min",
    "1 d 1 h",
  ]);
});

test("sizes and amounts are short and lose nothing that matters", () => {
  expect([0, 512, 1_536, 20 * 1024 * 1024].map(bytes)).toEqual(["0 B", "512 B", "1.5 KiB", "20 MiB"]);
  expect(money("0.000042", "USD")).toContain("0.000042");
  expect(money("12.5", "no currency")).toBe("12.5 no currency");
});

test("times are told from now", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  expect(ago("2026-01-31T11:57:00Z", now)).toMatch(/3 min/);
  expect(ago("2026-01-31T12:00:00Z", now)).toBe("now");
});
