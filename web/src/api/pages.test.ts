import { expect, test, vi } from "vitest";
import { Pages } from "./pages";

interface Row {
  id: number;
  text: string;
}

/** A list of so many rows behind cursors, which counts what is asked of it. */
function list(length: number, size = 100) {
  const asked: (string | undefined)[] = [];
  const pages = new Pages<Row, string>({
    keyOf: (row) => String(row.id),
    changed: () => undefined,
    load: (after) => {
      asked.push(after);
      const start = after === undefined ? 0 : Number(after);
      const end = Math.min(start + size, length);
      const nodes = Array.from({ length: end - start }, (_, place) => ({
        id: start + place,
        text: `row ${start + place}`,
      }));
      return Promise.resolve({ nodes, end: end < length ? String(end) : undefined });
    },
  });
  return { pages, asked };
}

test("rows are reached page by page, and far ones are let go and come back", async () => {
  const { pages, asked } = list(2_000);
  pages.ensure(0, 0);
  await vi.waitFor(() => expect(pages.rowAt(0)?.text).toBe("row 0"));
  while (pages.hasMore) {
    const before = pages.count;
    pages.ensure(before - 1, before - 1);
    await vi.waitFor(() => expect(pages.count).toBeGreaterThan(before));
  }
  expect(pages.count).toBe(2_000);
  expect(pages.rowAt(1_999)?.text).toBe("row 1999");
  pages.ensure(1_999, 1_999);
  expect(pages.rowAt(0)).toBeUndefined();
  const times = asked.length;
  pages.ensure(150, 180);
  await vi.waitFor(() => expect(pages.rowAt(160)?.text).toBe("row 160"));
  expect(asked.length - times).toBeLessThanOrEqual(2);
});

test("a new row waits until it is shown, and a changed one changes where it is", async () => {
  const { pages } = list(3);
  pages.ensure(0, 0);
  await vi.waitFor(() => expect(pages.count).toBe(3));
  pages.upsert({ id: 1, text: "changed" });
  expect(pages.rowAt(1)?.text).toBe("changed");
  pages.upsert({ id: 76, text: "not of this list" }, true);
  pages.upsert({ id: 77, text: "new" });
  expect([pages.count, pages.freshCount]).toEqual([3, 1]);
  pages.showFresh();
  expect([pages.count, pages.freshCount, pages.rowAt(0)?.text, pages.rowAt(1)?.text]).toEqual([4, 0, "new", "row 0"]);
});

test("an empty list says so, and a failed one says why", async () => {
  const { pages } = list(0);
  pages.ensure(0, 0);
  await vi.waitFor(() => expect(pages.isEmpty).toBe(true));
  const broken = new Pages<Row, string>({
    keyOf: (row) => String(row.id),
    changed: () => undefined,
    load: () => Promise.resolve({ problem: "no" }),
  });
  broken.ensure(0, 0);
  await vi.waitFor(() => expect(broken.problem).toBe("no"));
});
