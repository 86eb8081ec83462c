import { describe, expect, it } from "vitest";
import { asOf } from "@/app/search";
import { cellText, columnProblem, dateText, written } from "./cells";
import { conditionOf, inputOf, textOf, wordsFor, wordsOf } from "./conditions";
import { columnsOf, rowsOfFile } from "./rows-of-file";
import { tableSearch, withoutOldName } from "./search";

describe("conditions", () => {
  it("are read as the command line writes them, and written so again", () => {
    for (const [text, condition] of [
      ["orders gte 3", { column: "orders", word: "gte", value: "3" }],
      ["name like A b%", { column: "name", word: "like", value: "A b%" }],
      ["since isEmpty", { column: "since", word: "isEmpty" }],
      ["name eq", { column: "name", word: "eq", value: "" }],
    ] as const) {
      expect(conditionOf(text), text).toEqual(condition);
      expect(textOf(condition)).toBe(text);
    }
    expect(conditionOf("name")).toBeUndefined();
    expect(conditionOf("name about x")).toBeUndefined();
    expect(conditionOf("name toString x")).toBeUndefined();
  });

  it("compare with an empty cell where nothing is written", () => {
    expect(inputOf({ column: "name", word: "eq", value: "" })).toEqual({
      column: "name",
      condition: "EQ",
      value: null,
    });
    expect(wordsOf({ column: "name", word: "neq", value: "" })).toBe("name is not empty");
    expect(inputOf({ column: "ok", word: "isTrue" })).toEqual({ column: "ok", condition: "IS_TRUE", value: null });
  });

  it("are offered by what a column holds", () => {
    const words = (type: "STRING" | "BOOLEAN") => wordsFor(type).map((one) => one.value);
    expect(words("BOOLEAN")).toEqual(["eq", "neq", "isEmpty", "isNotEmpty", "isTrue", "isFalse"]);
    expect(words("STRING")).toContain("ilike");
    expect(words("STRING")).not.toContain("isTrue");
  });
});

describe("tableSearch", () => {
  it("keeps what an address may say and drops the rest", () => {
    const search = tableSearch({
      where: ["orders gte 3", "nonsense"],
      any: "1",
      sort: "orders",
      at: "17",
      open: "none",
    });
    expect(search).toEqual({
      where: ["orders gte 3"],
      any: true,
      sort: "orders",
      descending: undefined,
      at: "17",
      open: undefined,
    });
    expect(tableSearch({ where: "nonsense", at: "yesterday" })).toMatchObject({ where: undefined, at: undefined });
    expect(asOf(tableSearch({ at: "2026-03-01T10:00:00Z" }).at)).toEqual({ time: "2026-03-01T10:00:00.000Z" });
    expect(asOf("17")).toEqual({ position: "17" });
  });
});

describe("withoutOldName", () => {
  const search = { where: ["orders gte 3", "name eq Ada"], sort: "orders", descending: true as const, at: "17" };

  it("goes on with the new name of a column", () => {
    expect(withoutOldName(search, "orders", "count")).toEqual({
      ...search,
      where: ["count gte 3", "name eq Ada"],
      sort: "count",
    });
    expect(withoutOldName(search, "since", "from")).toEqual(search);
  });

  it("says nothing any more of a column that went", () => {
    expect(withoutOldName(search, "orders")).toEqual({ where: ["name eq Ada"], at: "17" });
    expect(withoutOldName({ where: ["orders isEmpty"] }, "orders").where).toBeUndefined();
  });
});

describe("cells", () => {
  it("are text that can be written again", () => {
    expect([cellText(null), cellText("a"), cellText(1.5), cellText(false)]).toEqual(["", "a", "1.5", "false"]);
    expect([written(""), written("0")]).toEqual([null, "0"]);
  });

  it("show dates in UTC without what is zero", () => {
    expect(dateText("2026-03-01T00:00:00.000Z")).toBe("2026-03-01");
    expect(dateText("2026-03-01T08:30:00.000Z")).toBe("2026-03-01 08:30");
    expect(dateText("2026-03-01T08:30:05.250Z")).toBe("2026-03-01 08:30:05.250");
  });

  it("have columns with names that expressions can write", () => {
    expect(columnProblem("orders_2", ["name"])).toBeUndefined();
    for (const name of ["", "2nd", "a b", "createdAt", "name", "x".repeat(64)])
      expect(columnProblem(name, ["name"]), name).toBeDefined();
  });
});

describe("rowsOfFile", () => {
  const rows = [{ name: "Ada", note: 'a, "b"\nc' }, { name: "Bob" }];

  it("reads rows of each format", () => {
    const csv = '\uFEFFname,note\r\nAda,"a, ""b""\nc"\r\n\r\nBob,\r\n';
    expect(rowsOfFile("rows.CSV", csv)).toEqual({ rows });
    expect(rowsOfFile("rows.jsonl", rows.map((row) => JSON.stringify(row)).join("\n\n"))).toEqual({ rows });
    expect(rowsOfFile("rows.json", JSON.stringify(rows))).toEqual({ rows });
    expect(rowsOfFile("rows.csv", 'a\n""\n1')).toEqual({ rows: [{}, { a: "1" }] });
    expect(columnsOf(rows)).toEqual(["name", "note"]);
  });

  it("names the line of what is wrong", () => {
    for (const [name, text, problem] of [
      ["a.jsonl", "{}\nnonsense", "Line 2 is no JSON object"],
      ["a.csv", "a,b\n1,2\n3", "Line 3 has 1 cells"],
      ["a.csv", 'a\n"1', "line 2 does not end"],
      ["a.csv", "", "no first line"],
      ["a.json", "[1]", "no JSON array of objects"],
    ] as const)
      expect(rowsOfFile(name, text), text).toEqual({ problem: expect.stringContaining(problem) as string });
  });
});
