import { expect } from "@playwright/test";
import type { Server } from "./server";

interface Answer {
  position: string;
  errors: unknown[];
}

/** A node of a workflow file. */
export function node(name: string, type: string, parameters: unknown = {}, typeVersion = 1, place = 0) {
  return {
    id: `node ${name}`,
    name,
    type: `n8n-nodes-base.${type}`,
    typeVersion,
    position: [place * 220, 0],
    parameters,
  };
}

/** Nodes one behind the other. */
export function chain(name: string, nodes: readonly ReturnType<typeof node>[]): unknown {
  const lines = nodes
    .slice(0, -1)
    .map((one, place) => [one.name, { main: [[{ node: nodes[place + 1]?.name, type: "main", index: 0 }]] }]);
  return { name, nodes, connections: Object.fromEntries(lines) as unknown, settings: {} };
}

export function webhook(path: string) {
  return node("Webhook", "webhook", { path, httpMethod: "POST", responseMode: "onReceived" }, 2);
}

/** A workflow whose production runs fail with a message. */
export function failing(name: string, path: string, message: string): unknown {
  return chain(name, [webhook(path), node("Refuse", "stopAndError", { errorMessage: message }, 1, 1)]);
}

/** Publishes the draft and lets it take calls. */
export async function activate(server: Server, workflowId: string): Promise<void> {
  for (const [mutation, type] of [
    ["publishWorkflow", "PublishWorkflowInput"],
    ["activateWorkflow", "ActivateWorkflowInput"],
  ]) {
    const data = await server.ask<Record<string, Answer>>(
      `mutation($input: ${type}!) { ${mutation}(input: $input) { position errors { message } } }`,
      { input: { workflowId } },
    );
    const answer = data[mutation ?? ""];
    expect(answer?.errors).toEqual([]);
    await server.settled(answer?.position ?? "0");
  }
}

/** Calls a webhook and waits until the execution that it began has come to this status. */
export async function call(
  server: Server,
  workflowId: string,
  path: string,
  times: number,
  status: string,
): Promise<void> {
  const count = async () => {
    const { executions } = await server.ask<{ executions: { nodes: unknown[] } }>(
      `query($id: UUID!) { executions(workflowId: $id, status: ${status}, first: 100) { nodes { id } } }`,
      { id: workflowId },
    );
    return executions.nodes.length;
  };
  const before = await count();
  for (let time = 0; time < times; time += 1) {
    const answer = await fetch(`${server.url}/webhook/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ order: `${path}-${time}` }),
    });
    expect(answer.ok).toBe(true);
  }
  await expect.poll(count).toBe(before + times);
}
