import { expect, test } from "vitest";
import { deedOf, deedsOf, filterOf } from "./changes";
import { decisionsOf } from "./decisions";
import { type ProjectionState, complaintsOf } from "./platform";

const FINE: ProjectionState = {
  name: "executions",
  lag: 3,
  parkedCount: 0,
  role: "WRITER",
  stopped: null,
  lastError: null,
  building: null,
};

test("projections that keep up are no matter", () => {
  expect(complaintsOf([FINE, { ...FINE, lastError: { message: "a hiccup", over: true, secondsAgo: 3 } }])).toEqual([]);
});

test("what keeps projections is told, the worst first", () => {
  const complaints = complaintsOf([
    { ...FINE, name: "late", lag: 5_000 },
    { ...FINE, name: "built", building: { lag: 7 } },
    { ...FINE, name: "parked", parkedCount: 1 },
    { ...FINE, name: "still", stopped: { position: "12", reason: "it is broken" }, parkedCount: 3 },
    { ...FINE, name: "failing", lastError: { message: "the disk is full", over: false, secondsAgo: 3 } },
  ]);
  expect(complaints.map(({ projection, tone }) => [projection, tone])).toEqual([
    ["parked", "bad"],
    ["still", "bad"],
    ["failing", "bad"],
    ["late", "warn"],
    ["built", "warn"],
  ]);
  expect(complaints[0]).toMatchObject({ what: "could not take in 1 event", canRetry: true });
  expect(complaints[1]?.what).toContain("before event 12: it is broken");
});

test("an editor that saves often is one line", () => {
  const by = (name: string) => ({ kind: "user", name });
  const events = [
    { type: "WorkflowUpdated", streamId: "a", actor: by("ada") },
    { type: "WorkflowUpdated", streamId: "a", actor: by("ada") },
    { type: "WorkflowUpdated", streamId: "a", actor: by("ben") },
    { type: "WorkflowUpdated", streamId: "b", actor: by("ben") },
    { type: "WorkflowUpdated", streamId: "a", actor: by("ada") },
  ];
  expect(deedsOf(events).map(({ event, times }) => [event.streamId, event.actor.name, times])).toEqual([
    ["a", "ada", 2],
    ["a", "ben", 1],
    ["b", "ben", 1],
    ["a", "ada", 1],
  ]);
});

test("changes are told of what somebody may see, and no more types than one question may name", () => {
  expect(filterOf(() => false)).toBeUndefined();
  expect(filterOf((permission) => permission === "WORKFLOW_READ")?.categories).toEqual(["workflow"]);
  const all = filterOf(() => true);
  expect(all?.categories).toEqual(["workflow", "agent", "model", "gateway"]);
  expect(all?.types?.length).toBeLessThanOrEqual(50);
  expect(deedOf({ category: "model", type: "ModelPromoted" })).toBe("promoted the model");
  expect(deedOf({ category: "model", type: "ModelOfLater" })).toBe("ModelOfLater");
});

test("what takes two users is told while it is open, what somebody can decide first", () => {
  const ada = { kind: "user", name: "ada-1", displayName: "Ada" };
  const ben = { kind: "user", name: "ben-1", displayName: "Ben" };
  const hold = { name: "case 7", release: { reason: "it is closed", actor: ben } };
  const decisions = decisionsOf(
    {
      erasures: [
        {
          id: "s1",
          name: "customer-1",
          status: "ERASURE_REQUESTED",
          request: { reason: "why", actor: ada },
          holds: [],
        },
        { id: "s2", name: "[erased]", status: "ERASED", request: { reason: "", actor: ben }, holds: [] },
        { id: "s3", name: null, status: "ON_HOLD", request: null, holds: [hold, { name: "case 8", release: null }] },
      ],
      retentions: [
        { category: "execution", request: { days: 1, reason: "policy", by: "user:ben-1" }, holds: [] },
        { category: "model-call", request: null, holds: [hold] },
      ],
    },
    ada,
  );
  expect(decisions.map(({ what, by, isOwn }) => [what, by, isOwn])).toEqual([
    ["Release the hold case 7 on a subject", "Ben", false],
    ["Keep executions for 1 day", "user ben-1", false],
    ["Release the hold case 7 on model calls", "Ben", false],
    ["Erase what is about customer-1", "Ada", true],
  ]);
  expect(decisions[1]?.at).toEqual({ section: "retention", category: "execution" });
});
