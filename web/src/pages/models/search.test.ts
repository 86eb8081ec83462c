import { expect, it } from "vitest";
import { addressOfName, modelSearch, nameInAddress } from "./search";

it("keeps a model's address apart from what the server has at it, and reads it back", () => {
  expect(addressOfName({ modelName: "uploads" })).toEqual({ modelName: "~uploads" });
  for (const modelName of ["uploads", "iris", "uploads-2"])
    expect(nameInAddress(addressOfName({ modelName }))).toEqual({ modelName });
});

it("reads a comparison out of an address, and drops what is none", () => {
  const said = {
    tab: "drift",
    compare: "times",
    windowFrom: "2026-03-14T12:00:00.000Z",
    drifted: "0.5",
    watch: "true",
  };
  expect(modelSearch(said)).toMatchObject({ ...said, drifted: 0.5, watch: true });
  const wrong = { compare: "all", windowFrom: "yesterday", drifted: "-1", chance: "often", last: "1.5", watch: "no" };
  const read = modelSearch(wrong);
  for (const name of ["compare", "windowFrom", "drifted", "chance", "last", "watch"] as const)
    expect(read[name], name).toBeUndefined();
});
