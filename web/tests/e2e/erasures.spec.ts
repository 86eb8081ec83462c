import type { Page } from "@playwright/test";
import { newcomer } from "../support/people";
import type { Server } from "../support/server";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

const SUBJECT = "customer-4711";

/** Runs a workflow about a subject, and answers the execution once lists show it. */
async function runAbout(server: Server, subject: string): Promise<string> {
  const workflowId = await server.importWorkflow(smallWorkflow("About a customer"));
  const { startExecution } = await server.ask<{
    startExecution: { executionId: string; position: string; errors: unknown[] };
  }>(
    "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId position errors { message } } }",
    { input: { workflowId, subject, waitFor: "COMPLETED", timeoutMs: 30_000 } },
  );
  expect(startExecution.errors).toEqual([]);
  await server.settled(startExecution.position);
  return startExecution.executionId;
}

function subjects(page: Page) {
  return page.getByRole("grid", { name: "Subjects" });
}

/** What a press of the last button of an open form does. */
async function submit(page: Page, name: string): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name, exact: true }).click();
}

test("one user asks for an erasure, another one approves it, and a hold is in the way until both released it", async ({
  owner,
  server,
  browser,
}) => {
  test.setTimeout(180_000);
  await owner.goto(`${server.url}/admin/erasures`);
  await expect(owner.getByRole("heading", { name: "Nobody has asked for an erasure" })).toBeVisible();
  await expectAccessible(owner);
  const execution = await runAbout(server, SUBJECT);

  await test.step("what there is nothing of is refused, and a dry run comes before the request", async () => {
    await owner.getByRole("button", { name: "Erase", exact: true }).click();
    const dialog = owner.getByRole("dialog", { name: "Erase the data of a subject" });
    await dialog.getByLabel("Subject").fill("nobody-1");
    await submit(owner, "Look what would go");
    await expect(dialog.getByRole("alert")).toContainText("there is no data of such a subject");
    await dialog.getByLabel("Subject").fill(SUBJECT);
    await submit(owner, "Look what would go");
    const run = dialog.getByRole("region", { name: "Dry run" });
    await expect(run).toContainText("of 1 stream would lose what is about it");
    await expect(run).toContainText("Nothing is in the way");
    await expect(dialog.getByRole("button", { name: "Ask for the erasure" })).toBeDisabled();
    await expectAccessible(owner);
    await dialog.getByLabel("Why").fill("request 2026-118");
    await submit(owner, "Ask for the erasure");
  });

  const pane = owner.getByRole("region", { name: "Subject", exact: true });
  await expect(pane).toContainText("You asked for it: another user has to approve it");
  await expect(owner).toHaveURL(/\/admin\/erasures\?subject=/);
  await expect(pane.getByRole("button", { name: "Approve…" })).toHaveCount(0);
  await expectAccessible(owner);

  await test.step("a hold is placed", async () => {
    await pane.getByRole("button", { name: "Place a hold…" }).click();
    const dialog = owner.getByRole("dialog", { name: "Place a hold" });
    await dialog.getByLabel("Name of the hold").fill("case 7");
    await dialog.getByLabel("Why").fill("court order");
    await submit(owner, "Place the hold");
    await expect(pane.getByRole("region", { name: "Holds" })).toContainText("case 7");
  });

  const ben = await newcomer(server, browser, "Ben", "ADMIN");
  await ben.page.goto(`${server.url}/admin/erasures`);
  await subjects(ben.page).getByRole("row").filter({ hasText: SUBJECT }).click();
  const his = ben.page.getByRole("region", { name: "Subject", exact: true });
  await expect(his).toContainText("Another user asked for it");

  await test.step("the approval is refused while the hold is on it", async () => {
    await his.getByRole("button", { name: "Look what would go" }).click();
    await expect(his.getByRole("region", { name: "Dry run" })).toContainText("The hold “case 7” is on it");
    await his.getByRole("button", { name: "Approve…" }).click();
    await submit(ben.page, "Approve, and erase");
    const dialog = ben.page.getByRole("dialog", { name: `Erase the data of ${SUBJECT}` });
    await expect(dialog.getByRole("alert")).toContainText("a legal hold is on this data (case 7)");
    await dialog.getByRole("button", { name: "Not now" }).click();
  });

  await test.step("its release is asked for by one and approved by the other", async () => {
    await his.getByRole("button", { name: "Release…" }).click();
    await ben.page.getByRole("dialog").getByLabel("Why").fill("the case is closed");
    await submit(ben.page, "Ask for the release");
    await expect(his).toContainText("You asked for its release: the case is closed");
    await expect(his.getByRole("button", { name: "Approve the release…" })).toHaveCount(0);
    // What he asked shows at hers by itself.
    await pane.getByRole("button", { name: "Approve the release…" }).click();
    await submit(owner, "Approve the release");
    await expect(pane.getByRole("region", { name: "Holds" })).toContainText("None is on it");
  });

  await test.step("the second user approves, and nothing is left", async () => {
    await expect(his.getByRole("region", { name: "Holds" })).toContainText("None is on it");
    await his.getByRole("button", { name: "Approve…" }).click();
    await submit(ben.page, "Approve, and erase");
    await expect(his.getByText("erased", { exact: true })).toBeVisible();
    await expect(his).toContainText("Approved by");
    await expect(his.getByRole("button", { name: "Approve…" })).toHaveCount(0);
    await expectAccessible(ben.page);
    await expect(subjects(owner).getByRole("row").filter({ hasText: "[erased]" })).toBeVisible();
    const { execution: left } = await server.ask<{ execution: { nodeRuns: { nodes: { output: unknown }[] } } }>(
      "query($id: UUID!) { execution(id: $id) { nodeRuns(first: 9) { nodes { output } } } }",
      { id: execution },
    );
    expect(JSON.stringify(left)).not.toContain("hello");
  });
  expect(ben.problems).toEqual([]);
  await ben.page.context().close();
});

test("who may not ask for erasures is told what it takes, and sees none", async ({ server, browser }) => {
  const vera = await newcomer(server, browser, "Vera", "VIEWER");
  await vera.page.goto(`${server.url}/admin/erasures`);
  await expect(vera.page.getByText("It needs the permission erasure:request")).toBeVisible();
  await expect(subjects(vera.page)).toHaveCount(0);
  await vera.page.context().close();
});
