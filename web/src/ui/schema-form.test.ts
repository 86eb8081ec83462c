import { expect, test } from "vitest";
import { beginning, problemsOf, shapeOf } from "./schema-form";

const SHOP = {
  type: "object",
  required: ["shop", "days"],
  properties: {
    shop: { type: "string", minLength: 1 },
    days: { type: "integer", minimum: 1, maximum: 30 },
    tone: { type: "string", enum: ["kind", "brief"] },
    languages: { type: "array", items: { type: "string", maxLength: 3 } },
  },
};

test("a form begins with what has to be there", () => {
  expect(beginning(SHOP)).toEqual({ shop: "", days: undefined });
});

test("what is wrong is told where it is", () => {
  const value = { shop: "", days: 31.5, tone: "loud", languages: ["en", "english"] };
  expect(Object.fromEntries(problemsOf(SHOP, value))).toEqual({
    "/shop": "It has to be there.",
    "/days": "It has to be a whole number.",
    "/tone": "It has to be one of the choices.",
    "/languages/1": "It may have at most 3 characters.",
  });
  expect(problemsOf(SHOP, { shop: "x", days: 30 }).size).toBe(0);
});

test("what a form cannot show is written as JSON", () => {
  expect(shapeOf({ oneOf: [] } as object)).toBe("raw");
  expect(shapeOf({ type: "object" })).toBe("raw");
  expect(shapeOf({ type: ["string", "null"] })).toBe("raw");
  expect(shapeOf({ enum: [1, 2] })).toBe("raw");
  expect(shapeOf({ type: "array", items: { type: "string" } })).toBe("list");
});
