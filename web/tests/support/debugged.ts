import type { Server } from "./server";

type Parameters = Record<string, unknown>;

export function node(
  name: string,
  type: string,
  typeVersion: number,
  x: number,
  y: number,
  parameters: Parameters = {},
) {
  return { id: name, name, type: `n8n-nodes-base.${type}`, typeVersion, position: [x, y], parameters };
}

export function to(...names: (string | [string, number])[]) {
  return names.map((one) => {
    const [name, index] = typeof one === "string" ? [one, 0] : one;
    return { node: name, type: "main", index };
  });
}

export function set(name: string, x: number, y: number, field: string, value: string, type = "number") {
  return node(name, "set", 3.4, x, y, {
    assignments: { assignments: [{ id: "a", name: field, type, value }] },
    includeOtherFields: true,
  });
}

export const HOSTILE = "<img src=x onerror=window.hacked=1>";

/** Three orders, of which the large ones are made cheaper; the last node fails. Some names are hostile. */
export function ordersWorkflow(name: string): unknown {
  const orders = `return [
    { json: { id: 1, customer: "Ada", total: 120 } },
    { json: { id: 2, customer: "${HOSTILE}", total: 45.5 } },
    { json: { id: 3, customer: "Alan", total: 310 } }
  ];`;
  const condition = {
    options: { version: 2, caseSensitive: true, leftValue: "", typeValidation: "strict" },
    combinator: "and",
    conditions: [
      { id: "1", leftValue: "={{ $json.total }}", rightValue: 100, operator: { type: "number", operation: "gt" } },
    ],
  };
  return {
    name,
    nodes: [
      node("Start", "manualTrigger", 1, 0, 0),
      node("Orders", "code", 2, 200, 0, { jsCode: orders }),
      node("Large?", "if", 2.2, 400, 0, { conditions: condition }),
      set("Discount", 600, -80, "discounted", "={{ $json.total * 0.9 }}"),
      set(HOSTILE, 600, 80, "discounted", "={{ $json.total }}"),
      node("Stop", "stopAndError", 1, 800, -80, { errorMessage: "no carrier" }),
    ],
    connections: {
      Start: { main: [to("Orders")] },
      Orders: { main: [to("Large?")] },
      "Large?": { main: [to("Discount"), to(HOSTILE)] },
      Discount: { main: [to("Stop")] },
    },
    settings: {},
  };
}

/** A node that waits for a request or a person, between two others. */
export function waitingWorkflow(name: string): unknown {
  return {
    name,
    nodes: [
      node("Start", "manualTrigger", 1, 0, 0),
      set("Before", 200, 0, "asked", "1"),
      { ...node("Approval", "wait", 1.1, 400, 0, { resume: "webhook" }), webhookId: "approval" },
      set("After", 600, 0, "done", "1"),
    ],
    connections: {
      Start: { main: [to("Before")] },
      Before: { main: [to("Approval")] },
      Approval: { main: [to("After")] },
    },
    settings: {},
  };
}

/** A loop over so many items: three events for each. */
export function loopWorkflow(name: string, count: number): unknown {
  const code = `return Array.from({ length: ${count} }, (_, n) => ({ json: { n } }));`;
  return {
    name,
    nodes: [
      node("Start", "manualTrigger", 1, 0, 0),
      node("Make", "code", 2, 200, 0, { jsCode: code }),
      node("Loop", "splitInBatches", 3, 400, 0, { batchSize: 1, options: {} }),
      set("Double", 600, 80, "double", "={{ $json.n * 2 }}"),
      set("Note", 800, 80, "note", "=number {{ $json.n }}", "string"),
      node("Done", "noOp", 1, 600, -80),
    ],
    connections: {
      Start: { main: [to("Make")] },
      Make: { main: [to("Loop")] },
      Loop: { main: [to("Done"), to("Double")] },
      Double: { main: [to("Note")] },
      Note: { main: [to("Loop")] },
    },
    settings: {},
  };
}

/** An item with a file. */
export function fileWorkflow(name: string): unknown {
  return {
    name,
    nodes: [
      node("Start", "manualTrigger", 1, 0, 0),
      set("Make", 200, 0, "greeting", "hello from a file", "string"),
      node("File", "convertToFile", 1.1, 400, 0, { operation: "toJson", options: { fileName: "greeting.json" } }),
    ],
    connections: { Start: { main: [to("Make")] }, Make: { main: [to("File")] } },
    settings: {},
  };
}

/** Begins an execution without waiting for its end. */
export async function begin(server: Server, workflowId: string, more: Record<string, unknown> = {}): Promise<string> {
  const { startExecution } = await server.ask<{
    startExecution: { executionId: string; position: string; errors: { message: string }[] };
  }>(
    "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId position errors { message } } }",
    { input: { workflowId, mode: "MANUAL", ...more } },
  );
  const [error] = startExecution.errors;
  if (error) throw new Error(error.message);
  await server.settled(startExecution.position);
  return startExecution.executionId;
}
