import { expect, test } from "vitest";
import { choicesOf, messagesOf, withoutMarks } from "./messages";

test("messages are read with their texts, calls and results", () => {
  const messages = messagesOf([
    { role: "user", parts: [{ text: { text: "Where is it?" } }] },
    { role: "assistant", parts: [{ tool_call: { id: "c", name: "order", arguments: '{"number":"7"}' } }] },
    { role: "tool", parts: [{ tool_result: { call: "c", parts: [{ text: { text: "on its way" } }] } }] },
  ]);
  expect(messages.map((message) => message.parts[0])).toEqual([
    { kind: "text", text: "Where is it?" },
    { kind: "call", id: "c", name: "order", arguments: { number: "7" } },
    { kind: "result", call: "c", text: "on its way" },
  ]);
});

test("what is not understood stays as it is, and nothing breaks", () => {
  expect(messagesOf("nonsense")).toEqual([]);
  expect(messagesOf([{ role: "user", parts: [{ hologram: 1 }, null] }])[0]?.parts).toEqual([
    { kind: "other", value: { hologram: 1 } },
    { kind: "other", value: null },
  ]);
  expect(choicesOf({ choices: [{ parts: [{ tool_call: { id: "c", name: "n", arguments: "{broken" } }] }] })).toEqual([
    { role: "assistant", parts: [{ kind: "call", id: "c", name: "n", arguments: "{broken" }] },
  ]);
});

test("the marks around a result go", () => {
  expect(withoutMarks("<tool_result>\nfine\n</tool_result>")).toBe("fine");
  expect(withoutMarks("fine")).toBe("fine");
});
