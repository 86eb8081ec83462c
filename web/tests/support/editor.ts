import { type Page, expect } from "@playwright/test";
import type { Server } from "./server";

export interface FileNode {
  name: string;
  type: string;
  parameters: Record<string, unknown>;
  position: [number, number];
}

export interface File {
  name: string;
  nodes: FileNode[];
  connections: Record<string, unknown>;
  pinData?: Record<string, unknown>;
  settings?: Record<string, unknown>;
}

/** The draft as the server has it. */
export async function draftOf(server: Server, id: string): Promise<File> {
  const { workflow } = await server.ask<{ workflow: { definition: File } }>(
    "query($id: UUID!) { workflow(id: $id) { definition } }",
    { id },
  );
  return workflow.definition;
}

export function idOf(page: Page): string {
  return /\/workflows\/([0-9a-f-]{36})/.exec(page.url())?.[1] ?? "";
}

export async function openEditor(page: Page, server: Server, id: string, search = ""): Promise<void> {
  await page.goto(`${server.url}/workflows/${id}${search}`);
  await expect(page.getByRole("toolbar", { name: "Workflow", exact: true })).toBeVisible();
}

export async function expectSaved(page: Page): Promise<void> {
  await expect(page.getByRole("button", { name: "Saved", exact: true })).toBeVisible();
}

export function card(page: Page, name: string) {
  return page.locator(`.react-flow__node[data-id="${name}"]`);
}

export function threeNodes(name: string, greeting = "hello", last = "Last"): unknown {
  const assign = (field: string, value: string) => ({
    assignments: { assignments: [{ id: field, name: field, type: "string", value }] },
    includeOtherFields: true,
  });
  const node = (of: string, type: string, version: number, x: number, parameters: unknown) => ({
    id: `id-${of}`,
    name: of,
    type: `n8n-nodes-base.${type}`,
    typeVersion: version,
    position: [x, 0],
    parameters,
  });
  return {
    name,
    nodes: [
      node("Start", "manualTrigger", 1, 0, {}),
      node("Data", "set", 3.4, 220, assign("name", "Ada")),
      node("Use", "set", 3.4, 440, assign("greeting", greeting)),
      node(last, "noOp", 1, 660, {}),
    ],
    connections: {
      Start: { main: [[{ node: "Data", type: "main", index: 0 }]] },
      Data: { main: [[{ node: "Use", type: "main", index: 0 }]] },
      Use: { main: [[{ node: last, type: "main", index: 0 }]] },
    },
    settings: { executionOrder: "v1" },
  };
}

export function oneNode(name: string, type: string, typeVersion: number, parameters: unknown): unknown {
  const node = (of: string, kind: string, version: number, x: number, own: unknown) => ({
    id: `id-${of}`,
    name: of,
    type: `n8n-nodes-base.${kind}`,
    typeVersion: version,
    position: [x, 0],
    parameters: own,
  });
  return {
    name,
    nodes: [node("Start", "manualTrigger", 1, 0, {}), node("Node", type, typeVersion, 220, parameters)],
    connections: { Start: { main: [[{ node: "Node", type: "main", index: 0 }]] } },
  };
}

export function webhookWorkflow(name: string): unknown {
  return {
    name,
    nodes: [
      {
        id: "hook",
        name: "Hook",
        type: "n8n-nodes-base.webhook",
        typeVersion: 2,
        position: [0, 0],
        webhookId: "6f1d7a52-5c55-4f5e-9a0c-2a8a5b8c9d01",
        parameters: { path: "editor-test", httpMethod: "POST" },
      },
    ],
    connections: {},
  };
}
