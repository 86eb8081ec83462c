import { expect, test } from "vitest";
import { type One, runAll } from "./run-all";

test("all are done, a few at a time, and what is refused is told", async () => {
  let underWay = 0;
  let most = 0;
  const doOne = async (item: number): Promise<One> => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    underWay -= 1;
    return item === 5 ? { kind: "refused", why: "it has not failed" } : { kind: "done" };
  };
  const told: number[] = [];
  const items = Array.from({ length: 20 }, (_, place) => place);
  const tally = await runAll(items, doOne, ({ done }) => told.push(done));
  expect(tally).toEqual({ done: 19, failed: [{ item: 5, why: "it has not failed" }], left: 0 });
  expect(most).toBe(4);
  expect(told).toHaveLength(20);
});

test("nothing more is begun after the server could not be reached", async () => {
  const tried: number[] = [];
  const doOne = (item: number): Promise<One> => {
    tried.push(item);
    return Promise.resolve(item === 2 ? { kind: "stop", why: "No answer came." } : { kind: "done" });
  };
  const tally = await runAll([0, 1, 2, 3, 4, 5], doOne, undefined, undefined, 1);
  expect(tried).toEqual([0, 1, 2]);
  expect(tally).toEqual({ done: 2, failed: [{ item: 2, why: "No answer came." }], left: 3 });
});

test("it can be stopped", async () => {
  let isStopped = false;
  const doOne = (item: number): Promise<One> => {
    if (item === 1) isStopped = true;
    return Promise.resolve({ kind: "done" });
  };
  expect(await runAll([0, 1, 2], doOne, undefined, () => isStopped, 1)).toEqual({ done: 2, failed: [], left: 1 });
});
