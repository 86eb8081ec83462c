import type { Page } from "@playwright/test";
import type { Server } from "../support/server";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

interface FileNode {
  name: string;
  type: string;
  parameters: Record<string, unknown>;
  position: [number, number];
}

interface File {
  name: string;
  nodes: FileNode[];
  connections: Record<string, unknown>;
  pinData?: Record<string, unknown>;
  settings?: Record<string, unknown>;
}

/** The draft as the server has it. */
async function draftOf(server: Server, id: string): Promise<File> {
  const { workflow } = await server.ask<{ workflow: { definition: File } }>(
    "query($id: UUID!) { workflow(id: $id) { definition } }",
    { id },
  );
  return workflow.definition;
}

function idOf(page: Page): string {
  return /\/workflows\/([0-9a-f-]{36})/.exec(page.url())?.[1] ?? "";
}

async function openEditor(page: Page, server: Server, id: string, search = ""): Promise<void> {
  await page.goto(`${server.url}/workflows/${id}${search}`);
  await expect(page.getByRole("toolbar", { name: "Workflow", exact: true })).toBeVisible();
}

async function expectSaved(page: Page): Promise<void> {
  await expect(page.getByRole("button", { name: "Saved", exact: true })).toBeVisible();
}

function card(page: Page, name: string) {
  return page.locator(`.react-flow__node[data-id="${name}"]`);
}

test("a workflow of three nodes is built, named, run and undone by keys alone", async ({ owner, server }) => {
  await owner.goto(`${server.url}/workflows/new`);
  await expect(card(owner, "Start")).toBeVisible();
  await owner.keyboard.press("ArrowRight");
  await expect(card(owner, "Start")).toBeFocused();

  await owner.keyboard.press("Tab");
  await owner.keyboard.type("edit fields");
  await owner.keyboard.press("Enter");
  await expect(card(owner, "Edit Fields (Set)")).toBeFocused();
  await owner.keyboard.press("F2");
  await owner.keyboard.type("Make");
  await owner.keyboard.press("Enter");
  await expect(card(owner, "Make")).toBeFocused();

  // A node on its own, which `c` connects by name.
  await owner.keyboard.press("Escape");
  await owner.keyboard.press("+");
  await owner.keyboard.type("no operation");
  await owner.keyboard.press("Enter");
  await expect(owner.getByRole("status", { name: "What was done" })).toContainText("Added No Operation");
  await owner.keyboard.press("F2");
  await owner.keyboard.type("End");
  await owner.keyboard.press("Enter");
  await owner.keyboard.press("ArrowUp");
  await owner.keyboard.press("ArrowRight");
  await expect(card(owner, "Make")).toBeFocused();
  await owner.keyboard.press("c");
  await owner.keyboard.type("End");
  await owner.keyboard.press("Enter");
  await expect(owner.getByRole("group", { name: "From Make to End" })).toBeAttached();

  await owner.keyboard.press("Alt+ArrowDown");
  await owner.keyboard.press("Control+Enter");
  await expect(owner.getByRole("region", { name: "Run" }).getByText("completed").first()).toBeVisible();
  await expect(card(owner, "End")).toHaveAccessibleName(/gave 1 item/);
  const id = idOf(owner);
  const file = await draftOf(server, id);
  expect(file.nodes.map((node) => node.name)).toEqual(["Start", "Make", "End"]);
  expect(file.connections).toEqual({
    Start: { main: [[{ node: "Make", type: "main", index: 0 }]] },
    Make: { main: [[{ node: "End", type: "main", index: 0 }]] },
  });

  await owner.keyboard.press("ArrowRight");
  await expect(card(owner, "End")).toBeFocused();
  await owner.keyboard.press("Delete");
  await expect(card(owner, "End")).toBeHidden();
  await owner.keyboard.press("Control+z");
  await expect(card(owner, "End")).toBeVisible();
  await owner.keyboard.press("?");
  await expect(owner.getByRole("dialog", { name: "Keys" })).toContainText("connect the node to another, by name");
  await owner.keyboard.press("Escape");
});

test("nodes go to and from the clipboard as n8n writes them", async ({ owner, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const id = await server.importWorkflow(smallWorkflow("Copied"));
  await openEditor(owner, server, id);
  await owner.keyboard.press("ArrowRight");
  await owner.keyboard.press("Control+a");
  await owner.keyboard.press("Control+c");
  const copied = JSON.parse(await owner.evaluate(() => navigator.clipboard.readText())) as File;
  expect(copied.nodes.map((node) => node.name)).toEqual(["Start", "Make"]);
  expect(Object.keys(copied.connections)).toEqual(["Start"]);
  await owner.keyboard.press("Control+v");
  await expect(card(owner, "Make1")).toBeVisible();
  await owner.evaluate(() => navigator.clipboard.writeText("no workflow at all"));
  await owner.keyboard.press("Control+v");
  await expect(owner.getByText("Copy nodes here or in n8n").first()).toBeVisible();
  await expectSaved(owner);
  expect((await draftOf(server, id)).nodes.map((node) => node.name)).toEqual(["Start", "Make", "Start1", "Make1"]);
});

test("an expression is written with suggestions from a run, and shows what it gives", async ({ owner, server }) => {
  const id = await server.importWorkflow(threeNodes("Suggested"));
  await server.execute(id);
  await openEditor(owner, server, id, "?node=Use");
  const panel = owner.getByRole("region", { name: "Node Use" });
  await panel.getByRole("button", { name: "Value of greeting: expression" }).click();
  const field = panel.getByRole("textbox", { name: "Value of greeting" });
  await field.fill("{{ $json.");
  await expect(panel.getByRole("option", { name: /name.*Ada/ })).toBeVisible();
  await field.press("ArrowDown");
  await field.press("ArrowUp");
  await field.press("Enter");
  await expect(field).toHaveValue("{{ $json.name");
  await field.pressSequentially(".toUpperCase() }}!");
  await expect(panel.getByText("ADA!")).toBeVisible();
  await expectSaved(owner);
  await owner.getByRole("button", { name: "Run", exact: true }).click();
  await panel.getByRole("tab", { name: "Output" }).click();
  await expect(panel.getByRole("grid", { name: "Output of Use" })).toContainText("ADA!");
  await panel.getByRole("tab", { name: "Input" }).click();
  await expect(panel.getByRole("grid", { name: "Input of Use" })).toContainText("Ada");
});

test("renaming a node changes the expressions that speak of it", async ({ owner, server }) => {
  const id = await server.importWorkflow(threeNodes("Renamed", "={{ $('Data').item.json.name }}"));
  await openEditor(owner, server, id, "?node=Data&tab=node");
  const panel = owner.getByRole("region", { name: "Node Data" });
  await panel.getByRole("textbox", { name: "Name" }).fill("<img src=x onerror=alert(1)>");
  await panel.getByRole("textbox", { name: "Name" }).press("Enter");
  await expect(owner.getByRole("heading", { name: "<img src=x onerror=alert(1)>" })).toBeVisible();
  await expectSaved(owner);
  const file = await draftOf(server, id);
  expect(JSON.stringify(file.nodes)).toContain("$('<img src=x onerror=alert(1)>').item.json.name");
});

test("items are pinned, edited and unpinned, and count in a run", async ({ owner, server }) => {
  const id = await server.importWorkflow(threeNodes("Pinned", "={{ $json.name }}"));
  await server.execute(id);
  await openEditor(owner, server, id, "?node=Data&tab=output");
  const panel = owner.getByRole("region", { name: "Node Data" });
  await panel.getByRole("button", { name: "Pin", exact: true }).click();
  await panel.getByRole("button", { name: "Edit", exact: true }).click();
  const editor = panel.getByRole("textbox", { name: "Pinned items of Data as JSON" });
  await editor.fill("[1]");
  await expect(panel.getByRole("alert")).toContainText("entry 1 is none");
  await editor.fill('[{ "name": "Grace" }]');
  await expectSaved(owner);
  expect((await draftOf(server, id)).pinData).toEqual({ Data: [{ json: { name: "Grace" } }] });
  const { events } = await server.ask<{ events: { nodes: { type: string }[] } }>(
    'query($id: ID!) { events(first: 20, filter: { stream: { category: "workflow", id: $id } }) { nodes { type } } }',
    { id },
  );
  expect(events.nodes.at(-1)?.type).toBe("WorkflowPinsChanged");
  await owner.keyboard.press("Control+Enter");
  await expect(card(owner, "Use")).toHaveAccessibleName(/gave 1 item/);
  await panel.getByRole("button", { name: "Unpin" }).click();
  await expectSaved(owner);
  expect((await draftOf(server, id)).pinData ?? {}).toEqual({});
});

test("what cannot be saved stays, and says which field is to be mended", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Incomplete"));
  await openEditor(owner, server, id, "?node=Make");
  await owner.getByRole("button", { name: "Add", exact: true }).click();
  await owner.keyboard.type("http request");
  await owner.keyboard.press("Enter");
  const notice = owner.getByRole("status", { name: "Not saved" });
  await expect(notice).toContainText("Address to send the request to");
  await notice.getByRole("button", { name: "HTTP Request" }).click();
  const panel = owner.getByRole("region", { name: "Node HTTP Request" });
  await expect(panel.getByRole("alert")).toContainText("missing");
  await panel.getByRole("textbox", { name: "URL (needed)" }).fill("https://example.com");
  await expectSaved(owner);
  await expect(notice).toBeHidden();
  expect((await draftOf(server, id)).nodes.map((node) => node.name)).toEqual(["Start", "Make", "HTTP Request"]);
});

test("what somebody else did is shown, and of two changes nothing is lost", async ({ owner, server }) => {
  const id = await server.importWorkflow(threeNodes("Shared"));
  await openEditor(owner, server, id);
  await expect(owner.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
  const change = async (edit: (file: File) => void) => {
    const definition = await draftOf(server, id);
    edit(definition);
    await server.ask(
      "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { position errors { message } } }",
      { input: { workflowId: id, definition } },
    );
  };
  await change((file) => (file.name = "Shared by two"));
  await expect(owner.getByRole("heading", { level: 1 })).toHaveText("Shared by two");

  // Held back here, so that both have something that the other has not.
  await owner.route("**/graphql", async (route) => {
    if (route.request().postData()?.includes("EditorImport") === true)
      await change((file) => {
        if (file.nodes[0]) file.nodes[0].position = [0, 300];
      });
    await owner.unroute("**/graphql");
    await route.fallback();
  });
  await card(owner, "Use").click();
  await owner.keyboard.press("d");
  await owner.keyboard.press("Control+s");
  const notice = owner.getByRole("alert", { name: "Changed by two" });
  await expect(notice).toContainText("moved “Start”");
  await expect(notice).toContainText("changed “Use”");
  await notice.getByRole("button", { name: "Put both together" }).click();
  await expectSaved(owner);
  const file = await draftOf(server, id);
  expect(file.nodes[0]?.position).toEqual([0, 300]);
  expect(file.nodes.find((node) => node.name === "Use")).toMatchObject({ disabled: true });
});

test("a version is published behind a look at past runs, compared, and made active", async ({ owner, server }) => {
  const id = await server.importWorkflow(threeNodes("Published", "={{ $json.name }}"));
  await server.execute(id);
  await openEditor(owner, server, id, "?node=Use");
  await owner.getByRole("textbox", { name: "Value of greeting" }).fill("{{ $json.name }} again");
  await expectSaved(owner);
  await owner.getByRole("button", { name: "Publish", exact: true }).click();
  const dialog = owner.getByRole("dialog", { name: "Publish version 1" });
  await dialog.getByRole("button", { name: "Look first" }).click();
  await expect(dialog.getByText("1 differ", { exact: true })).toBeVisible();
  await dialog.getByText("Use:").click();
  await expect(dialog.getByRole("list", { name: /^Changes of/ })).toContainText("Ada again");
  await dialog.getByRole("button", { name: "Publish although 1 differ" }).click();
  await expect(dialog).toBeHidden();
  await owner.getByRole("button", { name: "More" }).click();
  await owner.getByRole("menuitem", { name: "Versions" }).click();
  await expect(owner.getByRole("heading", { level: 1, name: "Published", exact: true })).toBeVisible();
  await expect(owner.getByRole("heading", { name: "Nothing differs", exact: true })).toBeVisible();
  await owner
    .getByRole("navigation", { name: "Versions" })
    .getByRole("button", { name: /^Version 1\b/ })
    .click();
  await expect(owner.getByRole("region", { name: "Version 1", exact: true })).toBeVisible();
  await owner.goto(`${server.url}/workflows/${id}?version=1`);
  await expect(owner.getByText("It never changes.")).toBeVisible();
  await owner.goto(`${server.url}/workflows/${id}?version=7`);
  await expect(owner.getByRole("heading", { name: "There is no version 7" })).toBeVisible();
});

test("an agent gets a model and a tool, and the canvas is tidied up", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Helped"));
  await openEditor(owner, server, id);
  await card(owner, "Make").click();
  await owner.keyboard.press("Tab");
  await owner.keyboard.type("ai agent");
  await owner.keyboard.press("Enter");
  await expect(card(owner, "AI Agent")).toBeFocused();
  await owner.keyboard.press("h");
  await expect(owner.getByRole("listbox", { name: "Add a model for AI Agent" })).toBeVisible();
  await owner.keyboard.type("openai");
  await owner.keyboard.press("Enter");
  await expect(owner.getByRole("group", { name: "OpenAI Chat Model serves AI Agent as model" })).toBeAttached();
  await card(owner, "AI Agent").dblclick();
  const panel = owner.getByRole("region", { name: "Node AI Agent" });
  await panel.getByRole("button", { name: "tool", exact: true }).click();
  await owner.keyboard.type("calculator");
  await owner.keyboard.press("Enter");
  await owner.getByRole("button", { name: "Tidy up" }).click();
  await expect(owner.getByRole("status", { name: "What was done" })).toContainText("Tidied up");
  await expectSaved(owner);
  const file = await draftOf(server, id);
  expect(file.connections["OpenAI Chat Model"]).toEqual({
    ai_languageModel: [[{ node: "AI Agent", type: "ai_languageModel", index: 0 }]],
  });
  expect(file.connections.Calculator).toEqual({ ai_tool: [[{ node: "AI Agent", type: "ai_tool", index: 0 }]] });
  const places = file.nodes.map((node) => node.position.join(" "));
  expect(new Set(places).size).toBe(places.length);
});

test("a form shows what counts, with defaults, choices, lists and options", async ({ owner, server }) => {
  const id = await server.importWorkflow(oneNode("Filled in", "httpRequest", 4.2, { url: "https://example.com" }));
  await openEditor(owner, server, id, "?node=Node");
  const panel = owner.getByRole("region", { name: "Node Node" });
  await expect(panel.getByLabel("Method", { exact: true }).locator("option:checked")).toHaveText("GET (default)");
  await expect(panel.getByRole("group", { name: "Query parameters" })).toBeHidden();
  await panel.getByRole("switch", { name: "Send query parameters" }).click();
  const list = panel.getByRole("group", { name: "Query parameters" });
  await list.getByRole("button", { name: "Add parameter" }).click();
  const entry = list.getByRole("group", { name: "Parameter 1" });
  await entry.getByRole("textbox", { name: "Name", exact: true }).fill("page");
  await entry.getByRole("textbox", { name: "Value", exact: true }).fill("2");
  await panel.getByLabel("Authentication", { exact: true }).selectOption({ label: "Generic credential type" });
  await panel.getByLabel("Generic auth type", { exact: true }).selectOption({ index: 1 });
  await expect(panel.getByLabel(/\(needed\)$/).and(panel.getByRole("combobox"))).toHaveCount(1);
  await panel.getByRole("button", { name: "Add option to Options" }).click();
  await owner.getByRole("menuitem", { name: "Timeout", exact: true }).click();
  await panel.getByRole("textbox", { name: "Timeout", exact: true }).fill("5000");
  await expectAccessible(owner);
  await expectSaved(owner);
  const parameters = (await draftOf(server, id)).nodes[1]?.parameters;
  expect(parameters).toMatchObject({
    url: "https://example.com",
    sendQuery: true,
    queryParameters: { parameters: [{ name: "page", value: "2" }] },
    authentication: "genericCredentialType",
    options: { timeout: 5000 },
  });
  expect(parameters).not.toHaveProperty("method");
  await panel.getByRole("button", { name: "Remove Timeout" }).click();
  await panel.getByRole("switch", { name: "Send query parameters" }).click();
  await expect(list).toBeHidden();
  await expectSaved(owner);
  expect((await draftOf(server, id)).nodes[1]?.parameters).not.toHaveProperty("options");
});

test("a switch has an output for each rule as soon as it is written", async ({ owner, server }) => {
  const id = await server.importWorkflow(oneNode("Switched", "switch", 3.2, {}));
  await openEditor(owner, server, id, "?node=Node");
  const panel = owner.getByRole("region", { name: "Node Node" });
  const rules = panel.getByRole("group", { name: "Routing rules" });
  const outputs = card(owner, "Node").locator(".react-flow__handle.source");
  for (const [place, name] of ["small", "large"].entries()) {
    await rules.getByRole("button", { name: "Add rule" }).click();
    const rule = rules.getByRole("group", { name: `Rule ${place + 1}` });
    await rule.getByRole("button", { name: "Add a condition" }).click();
    await rule.getByLabel("Comparison of condition 1").selectOption("number/gt");
    await rule.getByRole("textbox", { name: "Compared value of condition 1" }).fill("3");
    await rule.getByRole("switch", { name: "Rename output" }).click();
    await rule.getByRole("textbox", { name: "Output name" }).fill(name);
  }
  await expect(outputs).toHaveCount(2);
  await expect(card(owner, "Node")).toContainText("large");
  await expectSaved(owner);
  const { rules: written } = (await draftOf(server, id)).nodes[1]?.parameters as { rules: { values: unknown[] } };
  expect(written.values[1]).toMatchObject({
    conditions: { combinator: "and", conditions: [{ rightValue: 3, operator: { type: "number", operation: "gt" } }] },
    outputKey: "large",
  });
});

test("a draft listens for a call at its test address, and its run opens", async ({ owner, server }) => {
  const id = await server.importWorkflow(webhookWorkflow("Called"));
  await openEditor(owner, server, id);
  await owner.getByRole("button", { name: "More" }).click();
  await owner.getByRole("menuitem", { name: "Webhooks and forms" }).click();
  const dialog = owner.getByRole("dialog", { name: "Webhooks and forms" });
  const address = await dialog.getByText("/webhook-test/").textContent();
  await dialog.getByRole("button", { name: "Listen for a test call" }).click();
  await expect(dialog.getByText("The draft listens")).toBeVisible();
  const answer = await fetch(new URL(new URL(address ?? "").pathname, server.url), { method: "POST" });
  expect(answer.status).toBe(200);
  await expect(dialog).toBeHidden();
  await expect(card(owner, "Hook")).toHaveAccessibleName(/gave 1 item/);
});

test("the settings of a workflow are changed by a command of their own", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Set up"));
  await openEditor(owner, server, id);
  await owner.getByRole("button", { name: "More" }).click();
  await owner.getByRole("menuitem", { name: "Settings" }).click();
  const dialog = owner.getByRole("dialog", { name: "Settings of the workflow" });
  await dialog.getByLabel("Runs at once").fill("3");
  await dialog.getByLabel("Time zone").fill("Europe/Pa");
  await dialog.getByRole("option", { name: "Europe/Paris" }).click();
  await dialog.getByRole("button", { name: "Save the settings" }).click();
  await expectSaved(owner);
  expect((await draftOf(server, id)).settings).toMatchObject({ timezone: "Europe/Paris", concurrency: 3 });
});

test("the editor is accessible in both themes, on a canvas, as an outline and on a phone", async ({
  owner,
  server,
}) => {
  test.slow();
  const id = await server.importWorkflow(threeNodes("Looked at", "={{ $json.name }}", "<img src=x onerror=alert(1)>"));
  await server.execute(id);
  await server.ask("mutation($id: UUID!) { publishWorkflow(input: { workflowId: $id }) { position } }", { id });
  for (const colorScheme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme });
    for (const search of [
      "",
      "?view=outline",
      "?node=Use",
      "?node=Use&tab=output",
      "?node=Use&tab=node",
      "?version=1",
    ]) {
      await owner.goto(`${server.url}/workflows/${id}${search}`);
      await expect(owner.getByRole("heading", { level: 1 })).toHaveText("Looked at");
      await expect(owner.locator("[aria-busy=true]")).toHaveCount(0);
      if (search === "") await expect(card(owner, "Use")).toHaveAccessibleName(/gave/);
      if (search.includes("output")) await expect(owner.getByRole("grid", { name: "Output of Use" })).toBeVisible();
      await expectAccessible(owner);
    }
    await owner.goto(`${server.url}/workflows/${id}/versions`);
    await expect(owner.getByRole("navigation", { name: "Versions" })).toBeVisible();
    await expectAccessible(owner);
    await openEditor(owner, server, id);
    await owner.keyboard.press("+");
    await expect(owner.getByRole("listbox")).toBeVisible();
    await expectAccessible(owner);
  }
  await owner.setViewportSize({ width: 375, height: 720 });
  await openEditor(owner, server, id);
  await expect(owner.getByRole("tree", { name: "Outline" })).toContainText("Use");
  await expectAccessible(owner);
  const width = await owner.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(375);
});

function threeNodes(name: string, greeting = "hello", last = "Last"): unknown {
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

function oneNode(name: string, type: string, typeVersion: number, parameters: unknown): unknown {
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

function webhookWorkflow(name: string): unknown {
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
