import { expect, test } from "vitest";
import { type RunEvent, firstDifference, fromBillionths, timelineOf } from "./timeline";

let revision = 0;
function event(type: string, payload: unknown): RunEvent {
  revision += 1;
  const recordedAt = new Date(1_700_000_000_000 + revision * 10).toISOString();
  return {
    position: String(revision),
    revision,
    type,
    recordedAt,
    payload,
    actor: { kind: "user", displayName: "Ada" },
  };
}

test("a question and its answer are one step, and a call with its approval and result another", () => {
  const steps = timelineOf([
    event("AgentModelAsked", { turn: 1, attempt: 1 }),
    event("AgentModelAnswered", {
      turn: 1,
      answer: { call: "c", model: "m", parts: [], usage: { input_tokens: 5 }, cost: 7 },
    }),
    event("AgentApprovalRequested", { call: "1.0", tool: "refund", arguments: { number: "7" }, reason: "granted" }),
    event("AgentApprovalGiven", { call: "1.0", note: "fine" }),
    event("AgentToolCalled", { call: "1.0", tool: "refund", arguments: { number: "7", by: "support" } }),
    event("AgentToolAnswered", { call: "1.0", content: "done" }),
    event("AgentRunCompleted", { output: "It is done." }),
  ]);
  expect(steps).toMatchObject([
    { kind: "model", turn: 1, model: "m", inputTokens: 5, cost: 7, tookMs: 10 },
    {
      kind: "tool",
      tool: "refund",
      arguments: { by: "support" },
      result: "done",
      approval: { state: "given", words: "fine", by: "Ada" },
      tookMs: 10,
    },
    { kind: "note", tone: "good", value: "It is done." },
  ]);
});

test("a question that is asked again after a failure is another step", () => {
  const steps = timelineOf([
    event("AgentModelAsked", { turn: 1, attempt: 1 }),
    event("AgentModelFailed", { turn: 1, code: "overloaded", message: "busy" }),
    event("AgentModelAsked", { turn: 1, attempt: 2 }),
  ]);
  expect(steps).toMatchObject([{ attempt: 1, failure: { code: "overloaded" } }, { attempt: 2 }]);
});

test("the tools that a server listed are told, and why somebody is asked about them", () => {
  const tools = [{ name: "find", description: "Finds." }];
  const steps = timelineOf([
    event("AgentToolsListed", { tool: "shop", server: "https://mcp.example/mcp", protocol: "2025-11-25", tools }),
    event("AgentApprovalRequested", { call: "0.1", tool: "shop", arguments: {}, reason: "tools_changed" }),
  ]);
  expect(steps).toMatchObject([
    {
      kind: "note",
      title: "Found the tools of shop",
      text: "https://mcp.example/mcp, protocol 2025-11-25",
      value: tools,
    },
    {
      kind: "tool",
      approval: { state: "asked", words: "Its server lists other tools than those it was granted for." },
    },
  ]);
});

test("events of a newer server are told by their names", () => {
  expect(timelineOf([event("AgentDreamt", { of: "sheep" })])).toMatchObject([{ kind: "note", title: "AgentDreamt" }]);
});

test("billionths are told as what they are", () => {
  expect([32_400_000, 1_000_000_000, 0, 1].map(fromBillionths)).toEqual(["0.0324", "1", "0", "0.000000001"]);
});

test("the first difference is found, also where one list is longer", () => {
  expect(firstDifference([1, 2], [1, 3])).toBe(1);
  expect(firstDifference([1], [1, 2])).toBe(1);
  expect(firstDifference([{ a: 1 }], [{ a: 1 }])).toBeUndefined();
});
