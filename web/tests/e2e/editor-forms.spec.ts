import { card, draftOf, expectSaved, oneNode, openEditor, threeNodes } from "../support/editor";
import { expect, expectAccessible, test } from "../support/test";

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
