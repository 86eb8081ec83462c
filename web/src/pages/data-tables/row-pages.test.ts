import { describe, expect, it, vi } from "vitest";
import { type Part, RowPages } from "./row-pages";

interface Row {
  id: number;
  text: string;
}

/** A table of so many rows whose answers come when they are let. */
function table(count: number) {
  const asked: { skip: number; answer: (part: Part<Row, string>) => void }[] = [];
  const changed = vi.fn();
  const pages = new RowPages<Row, string>({
    pageSize: 10,
    keyOf: (row) => row.id,
    changed,
    load: (skip) => new Promise((answer) => asked.push({ skip, answer })),
  });
  const answer = async (text: string) => {
    const one = asked.shift();
    const rows = Array.from({ length: Math.min(10, count - (one?.skip ?? 0)) }, (_, place) => ({
      id: (one?.skip ?? 0) + place,
      text,
    }));
    one?.answer({ rows, count });
    await Promise.resolve();
    await Promise.resolve();
  };
  return { asked, changed, pages, answer };
}

describe("RowPages", () => {
  it("asks once for each page that is looked at", async () => {
    const { asked, pages, answer } = table(35);
    pages.ensure(0, 5);
    pages.ensure(0, 12);
    expect(asked.map((one) => one.skip)).toEqual([0, 10]);
    await answer("a");
    await answer("a");
    pages.ensure(8, 12);
    expect(asked).toEqual([]);
    expect([pages.count, pages.rowAt(12)?.id, pages.rowAt(20)]).toEqual([35, 12, undefined]);
  });

  it("keeps what it shows while newer rows come, and asks again for what grew old on its way", async () => {
    const { asked, pages, answer } = table(5);
    pages.ensure(0, 4);
    await answer("old");
    pages.reload();
    expect(pages.rowAt(0)?.text).toBe("old");
    expect(asked).toHaveLength(1);
    pages.reload();
    expect(asked).toHaveLength(1);
    await answer("newer");
    expect(pages.rowAt(0)?.text).toBe("newer");
    expect(asked).toHaveLength(1);
    await answer("newest");
    expect([pages.rowAt(0)?.text, asked.length]).toEqual(["newest", 0]);
  });

  it("takes a changed row in where it is held", async () => {
    const { pages, answer } = table(5);
    pages.ensure(0, 4);
    await answer("old");
    pages.put({ id: 3, text: "mine" });
    pages.put({ id: 30, text: "of elsewhere" });
    expect([pages.rowAt(2)?.text, pages.rowAt(3)?.text, pages.count]).toEqual(["old", "mine", 5]);
  });

  it("asks no more after a problem until somebody wants it again", async () => {
    const { asked, pages, answer } = table(5);
    pages.ensure(0, 4);
    asked.shift()?.answer({ problem: "no column 'a'" });
    await Promise.resolve();
    await Promise.resolve();
    pages.ensure(0, 4);
    expect([pages.problem, asked.length]).toEqual(["no column 'a'", 0]);
    pages.reload();
    await answer("now");
    expect([pages.problem, pages.rowAt(0)?.text]).toEqual([undefined, "now"]);
  });
});
