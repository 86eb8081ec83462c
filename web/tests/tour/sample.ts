import { node, set, to } from "../support/debugged";

/** Orders of a day, of which the large ones are made cheaper, and all of which are sent. */
export function orders(rate = 0.9): unknown {
  const jsCode = `return [
  { json: { id: 1042, customer: "Ada Lovelace", total: 120 } },
  { json: { id: 1043, customer: "Grace Hopper", total: 45.5 } },
  { json: { id: 1044, customer: "Alan Turing", total: 310 } },
];`;
  const condition = {
    options: { version: 2, caseSensitive: true, leftValue: "", typeValidation: "strict" },
    combinator: "and",
    conditions: [
      { id: "1", leftValue: "={{ $json.total }}", rightValue: 100, operator: { type: "number", operation: "gt" } },
    ],
  };
  return {
    name: "Orders of the day",
    nodes: [
      webhook("orders", "orders-of-the-day", 0, 0),
      node("Read orders", "code", 2, 220, 0, { jsCode }),
      node("Large?", "if", 2.2, 440, 0, { conditions: condition }),
      set("Discount", 660, -100, "discounted", `={{ $json.total * ${rate} }}`),
      set("Full price", 660, 100, "discounted", "={{ $json.total }}"),
      node("Together", "merge", 3.2, 880, 0, { mode: "append" }),
      set("Label", 1100, 0, "label", "={{ $json.customer }}, {{ $json.discounted }} EUR", "string"),
    ],
    connections: {
      orders: { main: [to("Read orders")] },
      "Read orders": { main: [to("Large?")] },
      "Large?": { main: [to("Discount"), to("Full price")] },
      Discount: { main: [to("Together")] },
      "Full price": { main: [to(["Together", 1])] },
      Together: { main: [to("Label")] },
    },
    settings: { executionOrder: "v1" },
  };
}

/** A workflow whose calls fail with a message. */
export function failing(name: string, path: string, errorMessage: string): unknown {
  return {
    name,
    nodes: [webhook("call", path, 0, 0), node("Send", "stopAndError", 1, 220, 0, { errorMessage })],
    connections: { call: { main: [to("Send")] } },
    settings: {},
  };
}

/** A workflow that waits for somebody's yes. */
export function approval(): unknown {
  return {
    name: "Approve a refund",
    nodes: [
      webhook("call", "refunds", 0, 0),
      { ...node("Ask the team lead", "wait", 1.1, 220, 0, { resume: "webhook" }), webhookId: "team-lead" },
      set("Refund", 440, 0, "refunded", "={{ true }}", "boolean"),
    ],
    connections: { call: { main: [to("Ask the team lead")] }, "Ask the team lead": { main: [to("Refund")] } },
    settings: {},
  };
}

/** A file of which one node cannot run here, and another can by a request. */
export function lacking(): unknown {
  return {
    name: "Tell the team about deals",
    nodes: [
      node("Start", "manualTrigger", 1, 0, 0),
      node("Slack", "slack", 2.3, 220, 0, {
        resource: "message",
        operation: "post",
        channelId: "#deals",
        text: "A deal was won",
      }),
      node("Old box", "aNodeOfLongAgo", 1, 440, 0),
    ],
    connections: { Start: { main: [to("Slack")] }, Slack: { main: [to("Old box")] } },
  };
}

function webhook(name: string, path: string, x: number, y: number) {
  return {
    ...node(name, "webhook", 2, x, y, { path, httpMethod: "POST", responseMode: "onReceived" }),
    webhookId: path,
  };
}
