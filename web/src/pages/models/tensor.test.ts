import { expect, test } from "vitest";
import { firstValues, shapeWords, valueWords } from "./tensor";

const base64 = (...bytes: number[]) => btoa(String.fromCharCode(...bytes));

test("numbers are read with the lowest byte first", () => {
  expect(firstValues("zcz8QAAAYEAzM7M/zcxMPg==", "FP32", 10)?.map(valueWords)).toEqual(["7.9", "3.5", "1.4", "0.2"]);
  expect(firstValues(base64(1, 0, 0, 0, 0, 0, 0, 128), "INT64", 1)).toEqual([-9223372036854775807n]);
  expect(firstValues(base64(0, 0x3c, 0, 0xc0), "FP16", 5)).toEqual([1, -2]);
  expect(firstValues(base64(0x80, 0x3f), "BF16", 5)).toEqual([1]);
  expect(firstValues(base64(0, 1), "BOOL", 5)).toEqual([false, true]);
});

test("texts are read behind their lengths, and bytes that are none are told", () => {
  expect(firstValues(base64(2, 0, 0, 0, 104, 105, 1, 0, 0, 0, 255), "BYTES", 5)).toEqual(["hi", "(1 bytes)"]);
});

test("only as many are read as are wanted, and what is not known is not guessed", () => {
  expect(firstValues(base64(1, 2, 3), "UINT8", 2)).toEqual([1, 2]);
  expect(firstValues(base64(1), "COMPLEX64", 2)).toBeUndefined();
  expect(shapeWords([null, 4])).toBe("any × 4");
});
