import { type File, card, draftOf, expectSaved, openEditor, threeNodes } from "../support/editor";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

test("a draft that lacks something is saved, and says where until it is mended", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Incomplete"));
  await openEditor(owner, server, id, "?node=Make");
  await owner.getByRole("button", { name: "Add", exact: true }).click();
  await owner.keyboard.type("http request");
  await owner.keyboard.press("Enter");
  const count = owner.getByRole("button", { name: "1 problem", exact: true });
  await expect(count).toBeVisible();
  await expectSaved(owner);
  expect((await draftOf(server, id)).nodes.map((node) => node.name)).toEqual(["Start", "Make", "HTTP Request"]);
  await expect(card(owner, "HTTP Request")).toHaveAccessibleName(/problem: the parameter is missing/);

  // What is loaded again still knows it.
  await openEditor(owner, server, id, "?view=outline");
  await expect(owner.getByRole("treeitem", { name: /HTTP Request.*problem: the parameter is missing/ })).toBeVisible();
  await owner.getByRole("button", { name: "Run", exact: true }).click();
  const list = owner.getByRole("region", { name: "Problems of the draft" });
  await expect(list).toContainText("not run, published or activated meanwhile");
  await expectAccessible(owner);

  await owner.getByRole("button", { name: "Publish", exact: true }).click();
  const dialog = owner.getByRole("dialog", { name: "Publish version 1" });
  const lacks = dialog.getByRole("region", { name: "What the draft lacks" });
  await expect(lacks).toContainText("Address to send the request to");
  await dialog.getByRole("switch", { name: /Run past executions/ }).click();
  await dialog.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(dialog.getByRole("alert")).toContainText("Version 1 was not published");
  await lacks.getByRole("button", { name: "HTTP Request" }).click();
  await expect(dialog).toBeHidden();

  const panel = owner.getByRole("region", { name: "Node HTTP Request" });
  await expect(panel.getByRole("alert")).toContainText("missing");
  await panel.getByRole("textbox", { name: "URL (needed)" }).fill("https://example.com");
  await expect(owner.getByRole("button", { name: /problem/ })).toHaveCount(0);
  await expect(panel.getByRole("alert")).toHaveCount(0);
  await expectSaved(owner);
});

test("connections of nodes that are gone are told, and removed together", async ({ owner, server }) => {
  const file = smallWorkflow("Dangling") as File;
  file.connections.Make = { main: [[{ node: "Gone", type: "main", index: 0 }]] };
  const id = await server.importWorkflow(file);
  await openEditor(owner, server, id);
  await owner.getByRole("button", { name: "1 problem", exact: true }).click();
  const list = owner.getByRole("region", { name: "Problems of the draft" });
  await expect(list).toContainText("leads to 'Gone', which does not exist");
  await list.getByRole("button", { name: "Remove connections that lead nowhere" }).click();
  await expect(list).toBeHidden();
  await expectSaved(owner);
  expect(JSON.stringify((await draftOf(server, id)).connections)).not.toContain("Gone");
});

test("what cannot be saved stays, and says why", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Unsound"));
  await openEditor(owner, server, id);
  await owner.getByRole("button", { name: "More" }).click();
  await owner.getByRole("menuitem", { name: "Settings" }).click();
  const dialog = owner.getByRole("dialog", { name: "Settings of the workflow" });
  await dialog.getByLabel("Runs at once").fill("20000");
  await dialog.getByRole("button", { name: "Save the settings" }).click();
  const notice = owner.getByRole("status", { name: "Not saved" });
  await expect(notice).toContainText("a whole number from 1 to 10000");
  await owner.getByRole("button", { name: "Undo" }).click();
  await expectSaved(owner);
  await expect(notice).toBeHidden();
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
