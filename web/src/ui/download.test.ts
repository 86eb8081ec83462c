import { expect, test } from "vitest";
import { fileName } from "./download";

test("a file's name is one that every file system takes", () => {
  expect(fileName("Send invoices")).toBe("Send invoices");
  expect(fileName("../../etc/passwd")).toBe("etc passwd");
  expect(fileName("<img src=x onerror=alert(1)>")).toBe("img src x onerror alert 1");
  expect(fileName("Größe: ändern?")).toBe("Größe ändern");
  expect(fileName("///")).toBe("workflow");
  expect(fileName("a".repeat(300))).toHaveLength(80);
});
