import { type File, card, draftOf, expectSaved, idOf, openEditor, threeNodes } from "../support/editor";
import { LOOK_MS, expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

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

test("the editor is accessible in both themes, on a canvas, as an outline and on a phone", async ({
  owner,
  server,
}) => {
  test.setTimeout(17 * LOOK_MS);
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
