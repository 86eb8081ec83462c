import { expect, it } from "vitest";
import { addressOfName, nameInAddress } from "./search";

it("keeps a model's address apart from what the server has at it, and reads it back", () => {
  expect(addressOfName({ modelName: "uploads" })).toEqual({ modelName: "~uploads" });
  for (const modelName of ["uploads", "iris", "uploads-2"])
    expect(nameInAddress(addressOfName({ modelName }))).toEqual({ modelName });
});
