import { expect, test } from "vitest";
import { count, flag, oneOf, parseSearch, position, stringifySearch, texts } from "./search";

test("addresses stay flat text, and come back as they were", () => {
  const search = { position: "123", types: ["a", "b&c"], archived: true, none: undefined, not: false };
  const written = stringifySearch(search);
  expect(written).toBe("?position=123&types=a&types=b%26c&archived=true");
  expect(parseSearch(written)).toEqual({ position: "123", types: ["a", "b&c"], archived: "true" });
});

test("what an address may not say is left aside", () => {
  expect(position("9223372036854775807")).toBe("9223372036854775807");
  expect(position("-1")).toBeUndefined();
  expect(count("1.5")).toBeUndefined();
  expect(count("")).toBeUndefined();
  expect(count("7")).toBe(7);
  expect(oneOf(["A", "B"], "C")).toBeUndefined();
  expect(flag("yes")).toBeUndefined();
  expect(texts(["a", "", 3])).toEqual(["a"]);
});
