import { expect, test } from "vitest";
import type { ExecutionRow } from "@/parts/execution-changes";
import { conditions, matches, narrowedTo } from "./matches";
import { readFilters, searchOf, searchText } from "./saved-filters";
import { search } from "./search";

const WORKFLOW = "01a21c63-81b6-71a9-b9f9-d473dc0bb283";
const ROW = {
  id: "01a21c63-8324-76d1-8a44-c0a98a52aa3a",
  workflowId: WORKFLOW,
  status: "FAILED",
  trigger: "WEBHOOK",
  errorFingerprint: "ca45",
  unresolved: true,
} as ExecutionRow;

test("an address is read, and what it may not say is dropped", () => {
  expect(
    search({ status: "FAILED", workflow: WORKFLOW, unresolved: "true", at: "2026-01-02T03:04:05Z" }),
  ).toMatchObject({
    status: "FAILED",
    workflow: WORKFLOW,
    unresolved: true,
    at: "2026-01-02T03:04:05.000Z",
  });
  const bad = search({ status: "<img>", workflow: "1", trigger: 7, at: "soon", fact: "only a name", group: "x" });
  expect(Object.values(bad).filter((value) => value !== undefined)).toEqual([]);
});

test("a changed execution belongs to the lists whose conditions it meets", () => {
  expect(matches({}, ROW)).toBe(true);
  expect(matches({ status: "FAILED", workflow: WORKFLOW, unresolved: true, trigger: "WEBHOOK" }, ROW)).toBe(true);
  expect(matches({ fingerprint: "ca45" }, ROW)).toBe(true);
  for (const filter of [
    { status: "RUNNING" as const },
    { workflow: ROW.id },
    { trigger: "RETRY" as const },
    { fingerprint: "other" },
    { fact: "a", value: "b" },
    { at: "2026-01-02T03:04:05.000Z" },
  ])
    expect(matches(filter, ROW)).toBe(false);
  expect(matches({ unresolved: true }, { ...ROW, unresolved: false })).toBe(false);
  expect(conditions({ status: "FAILED", fact: "a", value: "b", unresolved: undefined })).toBe(2);
});

test("a time takes in its beginning and not its end, and counts as one condition", () => {
  const [from, to] = ["2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"];
  const began = (startedAt: string | null) => ({ ...ROW, startedAt });
  expect(matches({ from, to }, began(from))).toBe(true);
  expect(matches({ from, to }, began(to))).toBe(false);
  expect(matches({ to }, began("2020-01-01T00:00:00Z"))).toBe(true);
  expect(matches({ from }, began(null))).toBe(false);
  expect(conditions({ from, to })).toBe(1);
  expect(search({ from: "2026-01-02", to: "never" })).toMatchObject({ from, to: undefined });
});

test("a kept filter is an address, and comes back as it was", () => {
  const kept = searchText({ status: "FAILED", fact: "order", value: "a & b", group: "cause", details: ROW.id });
  expect(kept).not.toContain(ROW.id);
  expect(searchOf(kept)).toMatchObject({ status: "FAILED", fact: "order", value: "a & b", group: "cause" });
});

test("what somebody else wrote into the browser's storage does no harm", () => {
  for (const text of [null, "", "{", "7", '{"name":"a"}', '[null,{"name":""},{"name":1,"search":""}]'])
    expect(readFilters(text)).toEqual([]);
  expect(readFilters('[{"name":"mine","search":"?status=FAILED"}]')).toHaveLength(1);
});

test("what means nothing for a grouping is left behind", () => {
  const filter = { status: "FAILED", trigger: "RETRY", unresolved: true, at: "2026-01-02T03:04:05.000Z" } as const;
  expect(conditions(narrowedTo("cause", filter))).toBe(2);
  expect(conditions(narrowedTo("workflow", filter))).toBe(2);
  expect(narrowedTo(undefined, filter)).toEqual(filter);
});
