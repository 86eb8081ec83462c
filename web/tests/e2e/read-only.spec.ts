import type { Browser, Page } from "@playwright/test";
import { activate, failing } from "../support/failing";
import { ordersWorkflow } from "../support/debugged";
import type { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";

let orders: string;
let active: string;

test.beforeAll(async ({ server }) => {
  orders = await server.importWorkflow(ordersWorkflow("Orders"));
  await server.execute(orders);
  active = await server.importWorkflow(failing("Takes calls", "read-only", "nobody is there"));
  await activate(server, active);
});

/** A page of somebody who has this role and no other. */
async function signedIn(server: Server, browser: Browser, role: string): Promise<Page> {
  const email = `${role.toLowerCase()}@example.org`;
  const { createAccount } = await server.ask<{ createAccount: { position: string; errors: unknown[] } }>(
    `mutation($name: String!, $email: String!, $role: Role!) {
      createAccount(input: { kind: USER, name: $name, email: $email, roles: [$role], reason: "tests" }) { position errors { message } }
    }`,
    { name: role, email, role },
  );
  expect(createAccount.errors).toEqual([]);
  await server.settled(createAccount.position);
  const { accounts } = await server.ask<{ accounts: { nodes: { id: string; email: string }[] } }>(
    "{ accounts(first: 100) { nodes { id email } } }",
  );
  const id = accounts.nodes.find((one) => one.email === email)?.id;
  const { makeSignInLink } = await server.ask<{ makeSignInLink: { token: string } }>(
    'mutation($id: UUID!) { makeSignInLink(input: { accountId: $id, reason: "tests" }) { token } }',
    { id },
  );
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${server.url}/sign-in/link?token=${makeSignInLink.token}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in/link"));
  return page;
}

test("who may only look sees all of a workflow, is told so, and is offered no change", async ({ server, browser }) => {
  const page = await signedIn(server, browser, "VIEWER");
  const problems = watch(page);
  await page.goto(`${server.url}/workflows/${orders}?node=Discount`);
  await expect(page.getByText("changing workflows needs workflow:write")).toBeVisible();
  const panel = page.getByRole("region", { name: "Node Discount" });
  await expect(panel.getByLabel("Mode", { exact: true })).toBeDisabled();
  await panel.getByRole("tab", { name: "Output" }).click();
  await expect(panel.getByRole("region", { name: "Output of Discount" })).toContainText("discounted");
  await expect(panel.getByRole("button", { name: "Pin" })).toHaveCount(0);
  const toolbar = page.getByRole("toolbar", { name: "Workflow" });
  for (const name of ["Run", "Publish", "Add", "Undo"])
    await expect(toolbar.getByRole("button", { name, exact: true })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(panel).toHaveCount(0);
  await page.locator('.react-flow__node[data-id="Discount"]').click();
  await page.keyboard.press("Delete");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("open the node");
  await expect(page.getByRole("dialog")).not.toContainText("remove what is chosen");
  await page.keyboard.press("Escape");
  await expect(page.locator('.react-flow__node[data-id="Discount"]')).toBeVisible();
  await expectAccessible(page);

  await page.goto(`${server.url}/workflows`);
  await expect(page.getByRole("grid", { name: "Workflows" })).toContainText("Orders");
  await expect(page.getByRole("button", { name: "Import" })).toHaveCount(0);
  await page.getByRole("button", { name: "What can be done with Orders" }).click();
  await expect(page.getByRole("menuitem", { name: "Export" })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: "Archive…" })).toHaveCount(0);
  await page.goto(`${server.url}/workflows/${active}/versions`);
  await expect(page.getByText("version 1 is active")).toBeVisible();
  await expect(page.getByRole("button", { name: /^(Publish|Deactivate)/ })).toHaveCount(0);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("who may run workflows runs one that they may not change", async ({ server, browser }) => {
  const page = await signedIn(server, browser, "OPERATOR");
  await page.goto(`${server.url}/workflows/${orders}`);
  await expect(page.getByText("changing workflows needs workflow:write")).toBeVisible();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page).toHaveURL(/run=/);
  await expect(page.getByRole("region", { name: "Run" })).toContainText("no carrier");
  await page.context().close();
});

test("an archived workflow is only looked at, by its owner as well, until it is taken out of the archive", async ({
  owner,
  server,
}) => {
  const id = await server.importWorkflow(ordersWorkflow("Put away"));
  const { archiveWorkflow } = await server.ask<{ archiveWorkflow: { position: string } }>(
    "mutation($id: UUID!) { archiveWorkflow(input: { workflowId: $id }) { position } }",
    { id },
  );
  await server.settled(archiveWorkflow.position);
  await owner.goto(`${server.url}/workflows/${id}?node=Discount`);
  await expect(owner.getByText("the workflow is archived, and takes no changes")).toBeVisible();
  await expect(
    owner.getByRole("toolbar", { name: "Workflow" }).getByRole("button", { name: "Run", exact: true }),
  ).toHaveCount(0);
  const mode = owner.getByRole("region", { name: "Node Discount" }).getByLabel("Mode", { exact: true });
  await expect(mode).toBeDisabled();
  await owner.getByRole("button", { name: "Take out of the archive" }).click();
  await expect(owner.getByText("the workflow is archived, and takes no changes")).toBeHidden();
  await expect(mode).toBeEnabled();
});

test("a published version shows the parameters of its nodes, from an address as well", async ({ owner, server }) => {
  await owner.goto(`${server.url}/workflows/${active}?version=1`);
  await owner.locator('.react-flow__node[data-id="Refuse"]').dblclick();
  const panel = owner.getByRole("region", { name: "Node Refuse" });
  await expect(panel.getByRole("textbox", { name: "Error message" })).toHaveValue("nobody is there");
  await expect(panel.getByRole("textbox", { name: "Error message" })).toBeDisabled();
  await owner.reload();
  await expect(panel.getByRole("textbox", { name: "Error message" })).toHaveValue("nobody is there");
});

test("the address of a published version says how it is shown", async ({ owner, server }) => {
  await owner.goto(`${server.url}/workflows/${active}?version=1`);
  await owner.getByRole("tab", { name: "File" }).click();
  await expect(owner).toHaveURL(/view=file/);
  await owner.reload();
  await expect(owner.getByRole("tree", { name: "Workflow file" })).toContainText("stopAndError");
  await expect(owner.getByRole("tab", { name: "File" })).toHaveAttribute("aria-selected", "true");
});

test("on a phone the editor says which workflow it is, and the outline fits", async ({ owner, server }) => {
  await owner.setViewportSize({ width: 390, height: 800 });
  await owner.goto(`${server.url}/workflows/${orders}`);
  await expect(owner.getByRole("tree", { name: "Outline" })).toBeVisible();
  const name = owner.getByRole("button", { name: "Orders", exact: true });
  expect((await name.boundingBox())?.width ?? 0).toBeGreaterThan(40);
  const view = await owner.getByRole("group", { name: "View" }).boundingBox();
  expect((view?.x ?? 999) + (view?.width ?? 999)).toBeLessThanOrEqual(390);
});
