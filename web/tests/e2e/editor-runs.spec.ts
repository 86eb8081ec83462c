import { card, draftOf, expectSaved, openEditor, threeNodes, webhookWorkflow } from "../support/editor";
import { expect, test } from "../support/test";

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
