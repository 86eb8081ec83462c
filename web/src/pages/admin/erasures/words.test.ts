import { expect, test } from "vitest";
import { type Preview, inTheWay, whatGoes } from "./words";

const PREVIEW: Preview = {
  subject: {
    id: "5a0c",
    name: "customer-4711",
    status: "KEPT",
    request: null,
    approver: null,
    erasedAt: null,
    completedAt: null,
    streams: 0,
    events: 0,
    holds: [],
  },
  events: 3,
  categories: [{ category: "execution", events: 3 }],
  streamCount: 1,
  streams: [],
  attachments: 0,
  executionsUnderWay: 0,
  letsIn: false,
};

test("what would go is told with its numbers", () => {
  expect(whatGoes(PREVIEW)).toBe("3 events of 1 stream would lose what is about it.");
  expect(whatGoes({ ...PREVIEW, events: 1, streamCount: 1, attachments: 2 })).toBe(
    "1 event of 1 stream would lose what is about it. 2 attachments would be removed.",
  );
  expect(whatGoes({ ...PREVIEW, events: 0 })).toBe("There is nothing of it in the log.");
});

test("each thing in the way says what to do", () => {
  expect(inTheWay(PREVIEW)).toEqual([]);
  const actor = { kind: "user", name: "1", displayName: "Ada" };
  const held = { ...PREVIEW.subject, holds: [{ name: "case 7", reason: "court", actor, release: null }] };
  expect(inTheWay({ ...PREVIEW, subject: held, executionsUnderWay: 1, letsIn: true })).toEqual([
    "1 execution is under way: wait for the end, or cancel.",
    "The account still lets somebody in: disable it.",
    "The hold “case 7” is on it: it has to be released.",
  ]);
});
