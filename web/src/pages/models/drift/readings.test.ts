import { expect, it } from "vitest";
import { readingsOf } from "./readings";

/** An event of a window, as it is stored. */
const judged = (number: number, at: number, more: object = {}) => ({
  position: String(100 + number),
  payload: {
    type: "drift_window_judged",
    watch: 1,
    window: { number, counts: { inferences: 20 }, after: 1, up_to: 2, from_ms: 1, until_ms: 2 },
    stable: 2,
    moderate: 0,
    drifted: 1,
    too_few: 3,
    worst: { feature: "inputs.age", psi: 0.75 },
    at_ms: at,
    ...more,
  },
});

it("reads the windows of the present watch, oldest first", () => {
  const since = new Date(1_000).toISOString();
  const readings = readingsOf([judged(2, 3_000, { worst: undefined }), judged(1, 2_000), judged(9, 500)], since);
  expect(readings).toEqual([
    {
      position: "101",
      number: 1,
      at: 2_000,
      stable: 2,
      moderate: 0,
      drifted: 1,
      tooFew: 3,
      worst: { feature: "inputs.age", psi: 0.75 },
    },
    expect.objectContaining({ number: 2, worst: undefined }) as unknown,
  ]);
});

it("leaves out what it cannot read, such as what a newer server writes", () => {
  const events = [null, 7, {}, { window: { number: "1" }, at_ms: 5 }, { window: { number: 1 } }];
  expect(
    readingsOf(
      events.map((payload, place) => ({ position: String(place), payload })),
      null,
    ),
  ).toEqual([]);
  expect(readingsOf([judged(1, 5, { worst: { feature: 7 } })], undefined)[0]?.worst).toBeUndefined();
});
