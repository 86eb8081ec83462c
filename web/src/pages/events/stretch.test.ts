import { describe, expect, it } from "vitest";
import { Stretch, type StretchSource } from "./stretch";

interface Row {
  position: string;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A log of so many events, read ten at a time. */
function logOf(count: number): StretchSource<Row, string> & { asked: string[] } {
  const asked: string[] = [];
  const page = (from: number) =>
    Array.from({ length: Math.min(10, from) }, (_, at) => ({ position: String(from - at) }));
  return {
    asked,
    positionOf: (row) => row.position,
    changed: () => undefined,
    older: async ({ upTo, after }) => {
      await Promise.resolve();
      const from = after === undefined ? Number(upTo ?? count) : Number(after) - 1;
      asked.push(`older ${from}`);
      const rows = page(from);
      return { rows, end: from > 10 ? rows.at(-1)?.position : undefined, head: String(count) };
    },
    newer: async (from) => {
      await Promise.resolve();
      asked.push(`newer ${from}`);
      const rows = Array.from({ length: Math.min(10, count - Number(from)) }, (_, at) => ({
        position: String(Number(from) + at + 1),
      }));
      return { rows, hasMore: Number(from) + 10 < count };
    },
  };
}

describe("a stretch of the log", () => {
  it("begins with the newest and goes back to the first", async () => {
    const stretch = new Stretch(logOf(25));
    for (let turn = 0; turn < 4; turn += 1) {
      stretch.ensure(0, 30);
      await settled();
    }
    expect(stretch.rows.map((row) => row.position)).toEqual(Array.from({ length: 25 }, (_, at) => String(25 - at)));
    expect(stretch.hasOlder).toBe(false);
    expect(stretch.hasNewer).toBe(false);
  });

  it("grows at both ends from the middle, without a gap or a double, and counts what came before", async () => {
    const stretch = new Stretch(logOf(40), "20");
    stretch.ensure(0, 0);
    await settled();
    expect(stretch.rows[0]?.position).toBe("20");
    expect(stretch.hasNewer).toBe(true);
    for (let turn = 0; turn < 4; turn += 1) {
      stretch.ensure(0, 40);
      await settled();
    }
    expect(stretch.rows.map((row) => row.position)).toEqual(Array.from({ length: 40 }, (_, at) => String(40 - at)));
    expect(stretch.before).toBe(20);
  });

  it("takes each new event once, and none while newer ones are not read", async () => {
    const stretch = new Stretch(logOf(5));
    stretch.ensure(0, 10);
    await settled();
    stretch.take({ position: "6" });
    stretch.take({ position: "6" });
    expect(stretch.rows.slice(0, 2).map((row) => row.position)).toEqual(["6", "5"]);
    const middle = new Stretch(logOf(40), "20");
    middle.ensure(5, 5);
    await settled();
    middle.take({ position: "41" });
    expect(middle.rows.some((row) => row.position === "41")).toBe(false);
  });

  it("asks for each page once although it is looked at often", async () => {
    const log = logOf(25);
    const stretch = new Stretch(log);
    stretch.ensure(0, 0);
    stretch.ensure(0, 0);
    await settled();
    expect(log.asked).toEqual(["older 25"]);
  });
});
