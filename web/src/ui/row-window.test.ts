import { describe, expect, it } from "vitest";
import { inSight, rowsAt } from "./row-window";

describe("rows in a box that scrolls", () => {
  it("stays where it is when the row is in sight, and has it in the middle when it was not", () => {
    const of = { count: 100, rowHeight: 30 };
    expect(inSight(300, 300, of, 10)).toBe(300);
    expect(inSight(300, 300, of, 19)).toBe(300);
    // The row at 9 lies from 270 to 300, the one at 20 from 600 to 630.
    expect(inSight(300, 300, of, 9)).toBe(135);
    expect(inSight(300, 300, of, 20)).toBe(465);
    expect(inSight(300, 300, of, -1)).toBe(300);
  });

  it("never goes beyond the first row or the last", () => {
    const of = { count: 100, rowHeight: 30 };
    expect(inSight(300, 300, of, 1)).toBe(0);
    expect(inSight(300, 300, of, 99)).toBe(2_700);
    expect(inSight(300, 300, { count: 3, rowHeight: 30 }, 1)).toBe(0);
  });

  it("draws what is in the box and a little beyond, and never more", () => {
    const rows = rowsAt(30_000, 300, 30, 10_000);
    expect(rows.map(({ index }) => index)).toEqual(Array.from({ length: 19 }, (_, place) => 996 + place));
    expect(rows[0]?.top).toBe(996 * 30);
    expect(rowsAt(0, 300, 30, 3).map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(rowsAt(0, 300, 30, 0)).toEqual([]);
    // The last row is among them, however far the box stands.
    expect(rowsAt(10_000 * 30, 300, 30, 10_000).at(-1)?.index).toBe(9_999);
  });

  it("gives each drawn row an element of its own, which most keep from one place to the next", () => {
    const before = rowsAt(3_000, 300, 30, 10_000);
    const after = rowsAt(3_030, 300, 30, 10_000);
    expect(new Set(after.map(({ slot }) => slot)).size).toBe(after.length);
    const slots = new Map(before.map(({ index, slot }) => [index, slot]));
    const kept = after.filter(({ index, slot }) => slots.get(index) === slot);
    expect(kept).toHaveLength(after.length - 1);
  });
});
