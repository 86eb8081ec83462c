import { readFile } from "node:fs/promises";
import { chain, node } from "../support/failing";
import { ODD, filled, open, row, said } from "../support/lists";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

test.beforeAll(async ({ server }) => {
  await filled(server);
});

test.describe("workflows", () => {
  test("are found by name on the server, and the address says so", async ({ owner, server }) => {
    await open(owner, server, "/workflows");
    await owner.keyboard.press("/");
    await owner.keyboard.type("ORDERS");
    await expect(owner).toHaveURL(/name=ORDERS/);
    await expect(row(owner, "Workflows", "Take orders")).toBeVisible();
    await expect(row(owner, "Workflows", "Greet")).toBeHidden();
    await open(owner, server, "/workflows?name=nothing+is+called+so");
    await expect(owner.getByRole("heading", { name: "No workflow is so" })).toBeVisible();
    await owner.getByRole("button", { name: "Show all" }).click();
    await expect(owner).not.toHaveURL(/name=/);
    await expect(owner.getByRole("grid", { name: "Workflows", exact: true }).getByRole("link").first()).toBeVisible();
  });

  test("are moved into a new folder by the keyboard, and dragged out of it", async ({ owner, server }) => {
    const id = await server.importWorkflow(smallWorkflow("Wanders"));
    await open(owner, server, "/workflows?name=Wanders");
    await owner.keyboard.press("j");
    await owner.keyboard.press("x");
    await expect(owner.getByRole("toolbar")).toContainText("1 chosen");
    await owner.keyboard.press("m");
    const dialog = owner.getByRole("dialog", { name: "Move Wanders" });
    await dialog.getByRole("combobox", { name: "Folder" }).fill("Billing / Late");
    await dialog.getByRole("button", { name: "Move" }).click();
    await said(owner, "The workflow is in Billing/Late now");
    const tree = owner.getByRole("tree", { name: "Folders" });
    await expect(tree.getByRole("treeitem", { name: "Late, 1" })).toBeVisible();
    await tree.getByRole("treeitem", { name: "Billing, 1" }).click();
    await expect(owner).toHaveURL(/folder=Billing/);
    await expect(row(owner, "Workflows", "Wanders")).toBeVisible();

    await owner
      .getByRole("link", { name: "Wanders", exact: true })
      .locator("..")
      .dragTo(tree.getByRole("treeitem", { name: /^All workflows/ }));
    await said(owner, "The workflow is in no folder now");
    const { workflow } = await server.ask<{ workflow: { folder: string } }>(
      "query($id: UUID!) { workflow(id: $id) { folder } }",
      { id },
    );
    expect(workflow.folder).toBe("");
  });

  test("are imported from many files at once, each with what it lacks", async ({ owner, server }) => {
    const lacking = chain("Tell about deals", [
      node("Start", "manualTrigger"),
      node("Slack", "slack", { resource: "message", operation: "post", channelId: "#deals", text: "hi" }, 2.3, 1),
      node("Odd", "knownToNobody", {}, 1, 2),
    ]);
    await open(owner, server, "/workflows?open=import");
    const dialog = owner.getByRole("dialog", { name: "Import workflows" });
    await dialog
      .getByLabel("Workflow files")
      .setInputFiles([
        file("fine.json", JSON.stringify(smallWorkflow("Fine"))),
        file("lacking.json", JSON.stringify(lacking)),
        file("list.json", JSON.stringify([smallWorkflow("First of a list"), smallWorkflow("Second of a list")])),
        file("broken.json", "{ this is no JSON"),
        file("odd.json", JSON.stringify(smallWorkflow(ODD))),
      ]);
    await expect(dialog.getByRole("status")).toHaveText("5 imported · 1 of them lack nodes · 1 refused");
    await expect(dialog.getByRole("link", { name: "First of a list" })).toBeVisible();
    const lack = dialog.getByRole("listitem").filter({ hasText: "Tell about deals" });
    await expect(lack).toContainText("n8n-nodes-base.knownToNobody");
    await lack.getByRole("button", { name: "Put HTTP Requests in their place" }).click();
    await expect(lack).toContainText("asks Slack by an HTTP Request now");
    await expect(lack).toContainText("1 node missing");
    await expectAccessible(owner);
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await expect(row(owner, "Workflows", "Second of a list")).toBeVisible();
    expect(await owner.title()).not.toContain("broken");
  });

  test("are imported where files are dropped anywhere on the page, and what is pasted as well", async ({
    owner,
    server,
  }) => {
    await open(owner, server, "/workflows");
    const transfer = await owner.evaluateHandle(
      (text) => {
        const data = new DataTransfer();
        data.items.add(new File([text], "dropped.json", { type: "application/json" }));
        return data;
      },
      JSON.stringify(smallWorkflow("Dropped here")),
    );
    await owner.dispatchEvent("main", "dragover", { dataTransfer: transfer });
    await expect(owner.getByText("Drop workflow files to import them")).toBeVisible();
    await owner.dispatchEvent("main", "drop", { dataTransfer: transfer });
    const dialog = owner.getByRole("dialog", { name: "Import workflows" });
    await expect(dialog.getByRole("link", { name: "Dropped here" })).toBeVisible();
    await dialog.getByLabel("Or paste one").fill("[1, 2]");
    await dialog.getByRole("button", { name: "Import what is pasted" }).click();
    await expect(dialog.getByRole("status")).toHaveText("1 imported · 2 refused");
  });

  test("are exported so that they can be taken in again, and archived after a question", async ({ owner, server }) => {
    await server.importWorkflow(smallWorkflow("Goes out"));
    await open(owner, server, "/workflows?name=Goes+out");
    const one = row(owner, "Workflows", "Goes out");
    await one.getByRole("button", { name: "What can be done with Goes out" }).click();
    const coming = owner.waitForEvent("download");
    await owner.getByRole("menuitem", { name: "Export" }).click();
    const download = await coming;
    expect(download.suggestedFilename()).toBe("Goes out.json");
    const definition: unknown = JSON.parse(await readFile(await download.path(), "utf8"));
    await server.importWorkflow(definition);

    await one.getByRole("checkbox").check();
    await owner.getByRole("toolbar").getByRole("button", { name: "Archive" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "Archive" }).click();
    await said(owner, "The workflow is archived");
    await open(owner, server, "/workflows?name=Goes+out&archived=true");
    await expect(row(owner, "Workflows", "Goes out")).toContainText("archived");
  });
});

function file(name: string, text: string) {
  return { name, mimeType: "application/json", buffer: Buffer.from(text) };
}
