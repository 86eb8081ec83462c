import { changed } from "../support/change";
import { expect, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

/** More than a list of choices has by itself. */
const MANY = 50;
let first: string;

test.beforeAll(async ({ server }) => {
  first = await server.importWorkflow(smallWorkflow("The first of many"));
  for (let place = 0; place < MANY; place += 1) await server.importWorkflow(smallWorkflow(`Later ${place}`));
});

test("the palette leads to models, and to workflows that are not among the newest", async ({ owner, server }) => {
  await changed(server, "registerModel", "RegisterInput", { name: "mood", description: "Tells how somebody feels." });
  await owner.goto(`${server.url}/events`);
  // Keys are heard once the page is there.
  await expect(owner.getByRole("heading", { level: 1 })).toHaveText("Events");
  const find = async (text: string) => {
    await owner.keyboard.press("Control+k");
    await owner.getByRole("dialog").getByRole("combobox").fill(text);
  };
  await find("somebody feels");
  await owner.getByRole("option", { name: /^mood/ }).click();
  await expect(owner).toHaveURL(/\/models\/mood$/);
  await find("first of many");
  await owner.getByRole("option", { name: "The first of many" }).click();
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("The first of many");
});

test("a workflow for failures is found by its name, and shown by it later", async ({ owner, server }) => {
  const id = await server.importWorkflow(smallWorkflow("Watched over"));
  const open = async () => {
    await owner.goto(`${server.url}/workflows/${id}`);
    await owner.getByRole("button", { name: "More" }).click();
    await owner.getByRole("menuitem", { name: "Settings" }).click();
  };
  const dialog = owner.getByRole("dialog", { name: "Settings of the workflow" });
  await open();
  await dialog.getByLabel("Workflow for failures").fill("first of");
  await dialog.getByRole("option", { name: "The first of many" }).click();
  await dialog.getByRole("button", { name: "Save the settings" }).click();
  await expect(owner.getByRole("button", { name: "Saved", exact: true })).toBeVisible();
  const { workflow } = await server.ask<{ workflow: { definition: { settings: unknown } } }>(
    "query($id: UUID!) { workflow(id: $id) { definition } }",
    { id },
  );
  expect(workflow.definition.settings).toMatchObject({ errorWorkflow: first });
  await open();
  await expect(dialog.getByLabel("Workflow for failures")).toHaveValue("The first of many");
});
