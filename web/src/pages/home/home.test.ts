import { expect, test } from "vitest";
import { deedsOf } from "./changes";
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
