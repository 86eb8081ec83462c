import { activate, chain, node, webhook } from "../support/failing";
import { ODD, open, said } from "../support/lists";
import { expect, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

test.describe("versions", () => {
  test("tell who published what, how they differ, and are gone back to", async ({ owner, server }) => {
    const id = await server.importWorkflow(smallWorkflow("Greet"));
    await server.execute(id);
    await open(owner, server, `/workflows/${id}/versions`);
    await expect(owner.getByText("Nothing was published yet").first()).toBeVisible();
    await owner.keyboard.press("p");
    const dialog = owner.getByRole("dialog", { name: "Publish version 1" });
    await dialog.getByRole("button", { name: "Check and publish" }).click();
    await said(owner, "Version 1 is published");

    const { importWorkflow } = await server.ask<{ importWorkflow: { errors: unknown[] } }>(
      "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }",
      {
        input: {
          workflowId: id,
          definition: chain("Greet", [
            node("Start", "manualTrigger"),
            node(
              "Make",
              "set",
              { assignments: { assignments: [{ id: "a", name: "greeting", type: "string", value: ODD }] } },
              3.4,
              1,
            ),
            node("More", "noOp", {}, 1, 2),
          ]),
        },
      },
    );
    expect(importWorkflow.errors).toEqual([]);
    // What somebody else does shows by itself.
    const versions = owner.getByRole("navigation", { name: "Versions" });
    await versions.getByRole("button", { name: /^Draft/ }).click();
    await expect(owner.getByRole("region", { name: "Node Make" })).toContainText(ODD);
    await expect(owner.getByRole("region", { name: "Node More" })).toContainText("added");
    await expect(owner.getByRole("region", { name: "Connections" })).toContainText("More");

    await owner.getByRole("button", { name: /^Publish/ }).click();
    const gated = owner.getByRole("dialog", { name: "Publish version 2" });
    await gated.getByRole("button", { name: "Check and publish" }).click();
    await expect(gated.getByRole("alert")).toContainText("Version 2 was not published");
    await gated.getByRole("button", { name: "Look first" }).click();
    const report = gated.getByRole("region", { name: "Report" });
    await expect(report.getByText("0 do the same", { exact: true })).toBeVisible();
    await expect(report.getByText("1 differ", { exact: true })).toBeVisible();
    await expect(gated.getByRole("list", { name: "Executions that differ" }).getByRole("link")).toHaveAttribute(
      "href",
      /\/executions\/[0-9a-f-]{36}\?node=Make$/,
    );
    await gated.getByLabel("How many may differ").fill("1");
    await gated.getByRole("button", { name: "Check and publish" }).click();
    await said(owner, "Version 2 is published");

    await versions.getByRole("button", { name: /^Version 1/ }).click();
    await expect(owner).toHaveURL(/right=1/);
    await owner.getByRole("button", { name: "Take as draft…" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "Take it" }).click();
    await said(owner, "The draft is as version 1 was");
    await open(owner, server, `/workflows/${id}/versions?left=1&right=draft`);
    await expect(owner.getByRole("heading", { name: "Nothing differs" })).toBeVisible();
    await owner.getByRole("tab", { name: "Definition" }).click();
    await expect(owner.getByRole("tree", { name: "the definition of Draft" })).toContainText("Make");
  });

  test("an older version of an active workflow takes its place again", async ({ owner, server }) => {
    const id = await server.importWorkflow(chain("Called", [webhook("called"), node("First", "noOp", {}, 1, 1)]));
    await activate(server, id);
    await open(owner, server, `/workflows/${id}/versions`);
    const publish = async () => {
      await owner.keyboard.press("p");
      const dialog = owner.getByRole("dialog", { name: "Publish version 2" });
      await dialog.getByRole("switch", { name: "Run past executions again" }).click();
      await dialog.getByRole("button", { name: "Publish", exact: true }).click();
    };
    await publish();
    await said(owner, "The draft is the same as version 1: nothing was published");
    await server.ask("mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { position } }", {
      input: {
        workflowId: id,
        definition: chain("Called", [webhook("called"), node("Second", "noOp", {}, 1, 1)]),
      },
    });
    await owner
      .getByRole("navigation", { name: "Versions" })
      .getByRole("button", { name: /^Draft/ })
      .click();
    await expect(owner.getByRole("region", { name: "Node Second" })).toContainText("added");
    await publish();
    await expect(owner.getByText("version 2 is active", { exact: true })).toBeVisible();
    await owner
      .getByRole("navigation", { name: "Versions" })
      .getByRole("button", { name: /^Version 1/ })
      .click();
    await owner.getByRole("button", { name: "Roll back to it…" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
    await said(owner, "Version 1 is active");
    await expect(owner.getByText("version 1 is active", { exact: true })).toBeVisible();
    await expect(owner.getByRole("navigation", { name: "Versions" })).toContainText("Version 1 was activated");
  });

  test("of a workflow that is not there", async ({ owner, server }) => {
    await owner.goto(`${server.url}/workflows/00000000-0000-4000-8000-000000000000/versions`);
    await expect(owner.getByRole("heading", { name: "There is no such workflow" })).toBeVisible();
  });
});
