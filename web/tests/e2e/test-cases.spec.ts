import { capsuleOf } from "../support/capsules";
import { chain, node } from "../support/failing";
import { ODD, open, said } from "../support/lists";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

/** The small workflow with another greeting. */
function otherWorkflow(name: string): unknown {
  const assignments = [{ id: "a", name: "greeting", type: "string", value: "goodbye" }];
  return chain(name, [node("Start", "manualTrigger"), node("Make", "set", { assignments: { assignments } }, 3.4, 1)]);
}

test("an execution is kept on its page by the keyboard alone, and holds a version up until it is removed", async ({
  owner,
  server,
}) => {
  const workflow = await server.importWorkflow(smallWorkflow("Kept"));
  const id = await server.execute(workflow);
  // Until a checkpoint covers it no capsule can be made.
  await capsuleOf(server, id);
  await open(owner, server, `/executions/${id}`);
  await owner.keyboard.press("t");
  const dialog = owner.getByRole("dialog", { name: "Add a test case" });
  await expect(dialog).toContainText("completed");
  const name = dialog.getByLabel("What it is called");
  await expect(name).toBeFocused();
  await name.fill("");
  await expect(dialog.getByRole("alert")).toHaveText("Give it a name.");
  await expect(dialog.getByRole("button", { name: "Add it" })).toBeDisabled();
  await name.fill(ODD);
  await expectAccessible(owner);
  await owner.keyboard.press("Enter");
  await said(owner, "It is a test case");
  await expect(dialog).toBeHidden();

  await open(owner, server, `/workflows/${workflow}/versions`);
  const cases = owner.getByRole("region", { name: "Test cases" });
  await expect(cases).toContainText(ODD);
  await expect(cases.getByRole("link")).toHaveAttribute("href", `/executions/${id}`);
  await expectAccessible(owner);
  const { importWorkflow } = await server.ask<{ importWorkflow: { errors: unknown[] } }>(
    "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }",
    { input: { workflowId: workflow, definition: otherWorkflow("Kept") } },
  );
  expect(importWorkflow.errors).toEqual([]);
  await owner.keyboard.press("p");
  const publish = owner.getByRole("dialog", { name: "Publish version 1" });
  await publish.getByLabel("How many of the last").fill("0");
  await publish.getByRole("button", { name: "Look first" }).click();
  const told = publish.getByRole("list", { name: "Test cases" });
  await expect(told).toContainText("changed");
  await expect(told).toContainText(ODD);
  await owner.keyboard.press("Escape");
  await expect(publish).toBeHidden();

  await owner.getByRole("button", { name: `Remove ${ODD}` }).click();
  await owner.getByRole("dialog").getByRole("button", { name: "Remove it" }).click();
  await said(owner, "The test case is removed");
  await expect(owner.getByText("None yet. Keep an execution")).toBeVisible();
  await expect(cases).toHaveCount(0);
});

test("executions and capsule files become test cases on the page of versions, and what is none of its own is refused", async ({
  owner,
  server,
}) => {
  const workflow = await server.importWorkflow(smallWorkflow("Filed"));
  const first = await server.execute(workflow);
  const second = await server.execute(workflow);
  const other = await server.execute(await server.importWorkflow(smallWorkflow("Other")));
  const foreign = await capsuleOf(server, other);
  const made = await capsuleOf(server, first);
  await open(owner, server, `/workflows/${workflow}/versions`);
  await expect(owner.getByText("None yet. Keep an execution")).toBeVisible();
  const cases = owner.getByRole("region", { name: "Test cases" });
  const dialog = owner.getByRole("dialog", { name: "Add a test case" });
  const name = dialog.getByLabel("What it is called");
  const add = dialog.getByRole("button", { name: "Add it" });

  await test.step("one of the newest executions", async () => {
    await owner.getByRole("button", { name: "Add a test case" }).click();
    await expect(owner).toHaveURL(/add=true/);
    await expect(add).toBeDisabled();
    await dialog.getByLabel("Which execution").selectOption(second);
    await expect(name).toHaveValue(/^completed /);
    await name.fill("Chosen");
    await expectAccessible(owner);
    await add.click();
    await said(owner, "It is a test case");
    await expect(cases).toContainText("Chosen");
    await expect(owner).not.toHaveURL(/add=true/);
  });

  await test.step("a file", async () => {
    // The address leads to the form.
    await open(owner, server, `/workflows/${workflow}/versions?add=true`);
    await dialog.getByLabel("What is kept").selectOption("a capsule file");
    const file = dialog.getByLabel("Capsule file");
    await file.setInputFiles({
      name: "letter.capsule",
      mimeType: "application/zip",
      buffer: Buffer.from("Dear Ada"),
    });
    await expect(name).toHaveValue("letter");
    await add.click();
    await expect(dialog.getByRole("alert")).toContainText("The test case was not added");
    await file.setInputFiles(foreign);
    await expect(dialog.getByRole("alert")).toHaveCount(0);
    await add.click();
    await expect(dialog.getByRole("alert")).toContainText("add it there");
    await file.setInputFiles(made);
    await name.fill("From a file");
    await expectAccessible(owner);
    await add.click();
    await expect(dialog).toBeHidden();
    await expect(cases).toContainText("From a file");
    await expect(cases).toContainText("Chosen");
  });
});
