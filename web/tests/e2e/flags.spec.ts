import { expect, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

test("a feature is brought to some tenants, changed and rolled back, and what contradicts itself is told", async ({
  owner,
  server,
}) => {
  await owner.goto(`${server.url}/admin/flags`);
  await expect(owner.getByRole("heading", { name: "Every feature is on for every tenant" })).toBeVisible();
  await owner.getByRole("button", { name: "New flag" }).click();
  const form = owner.getByRole("dialog");
  await form.getByLabel("Feature").fill("node:n8n-nodes-base.code");
  await form.getByLabel("Percentage of tenants").fill("20");
  await form.getByLabel("On for the tenants").fill("3, 7");
  await form.getByLabel("Off for the tenants").fill("7");
  await form.getByLabel("Why").fill("two try it");
  await form.getByRole("button", { name: "Set it" }).click();
  await expect(form.getByRole("alert")).toContainText("tenant 7 is named on both sides");
  await form.getByLabel("Off for the tenants").fill("nine");
  await form.getByRole("button", { name: "Set it" }).click();
  await expect(form.getByRole("alert")).toContainText("by their numbers");
  await form.getByLabel("Off for the tenants").fill("");
  await form.getByRole("button", { name: "Set it" }).click();
  const list = owner.getByRole("region", { name: "Flags" });
  await expect(list).toContainText("for 20 % of the tenants and 3, 7");

  const change = owner.getByRole("button", { name: "Change node:n8n-nodes-base.code" });
  await change.click();
  await owner.getByRole("menuitem", { name: "Set" }).click();
  await form.getByLabel("Percentage of tenants").fill("100");
  await form.getByLabel("Why").fill("no complaints");
  await form.getByRole("button", { name: "Set it" }).click();
  await expect(list).toContainText("for all tenants and 3, 7");
  await change.click();
  await owner.getByRole("menuitem", { name: "Roll back" }).click();
  await expect(form).toContainText("It will be on for 20 % of the tenants and 3, 7.");
  await form.getByLabel("Why").fill("memory grows");
  await form.getByRole("button", { name: "Roll back" }).click();
  await expect(list).toContainText("for 20 % of the tenants and 3, 7");
  await change.click();
  await owner.getByRole("menuitem", { name: "Remove" }).click();
  await form.getByLabel("Why").fill("everybody has it");
  await form.getByRole("button", { name: "Remove the flag" }).click();
  await expect(owner.getByRole("heading", { name: "Every feature is on for every tenant" })).toBeVisible();
});

test.describe("a node type that is switched off", () => {
  const feature = "node:n8n-nodes-base.set";

  // Other tests use the same server.
  test.afterEach(async ({ server }) => {
    const input = { feature, reason: "the test is over" };
    await server.ask("mutation($input: FeatureFlagInput!) { removeFeatureFlag(input: $input) { position } }", {
      input,
    });
  });

  test("says so where a node of it is added and looked at", async ({ owner, server }) => {
    const input = { feature, percent: 0, reason: "a test" };
    await server.ask("mutation($input: SetFeatureFlagInput!) { setFeatureFlag(input: $input) { position } }", {
      input,
    });
    const workflow = await server.importWorkflow(smallWorkflow("Held back"));
    await owner.goto(`${server.url}/workflows/${workflow}?node=Make`);
    await expect(owner.getByRole("region", { name: "Node Make" })).toContainText("switched off for your tenant");
    await owner.keyboard.press("Escape");
    await owner.keyboard.press("+");
    await owner.keyboard.type("Edit Fields");
    await expect(owner.getByRole("option").first()).toContainText("Switched off here.");
  });
});
