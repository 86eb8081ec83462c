// One story from a file to the audit trail, through the pages alone; and two people who see each other work.
import { EventEmitter, once } from "node:events";
import type { Page } from "@playwright/test";
import { node, set, to } from "../support/debugged";
import { newcomer } from "../support/people";
import { Server } from "../support/server";
import { expect, test, watch } from "../support/test";

const card = (page: Page, name: string) => page.locator(`.react-flow__node[data-id="${name}"]`);
const canvasNode = (page: Page, name: string) => page.locator(`[data-node="${name}"]`);
const position = (page: Page) => page.getByRole("region", { name: "Position" });
const saved = (page: Page) => page.getByRole("button", { name: "Saved", exact: true });

/** Waits until a page hears of what happens by itself. */
async function live(page: Page): Promise<void> {
  await expect(page.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
}

async function importPasted(page: Page, file: unknown, name: string): Promise<void> {
  await page.getByRole("button", { name: "Import", exact: true }).first().click();
  const dialog = page.getByRole("dialog", { name: "Import workflows" });
  await dialog.getByLabel("Or paste one").fill(JSON.stringify(file));
  await dialog.getByRole("button", { name: "Import what is pasted" }).click();
  await expect(dialog.getByRole("status")).toHaveText("1 imported");
  await dialog.getByRole("link", { name }).click();
  await expect(page.getByRole("toolbar", { name: "Workflow", exact: true })).toBeVisible();
}

async function choose(page: Page, item: string): Promise<void> {
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

test("a file is imported, run, rewound, forked, compared, published, rolled back and audited", async ({ browser }) => {
  test.slow();
  const server = await Server.start();
  const page = await (await browser.newContext()).newPage();
  const problems = watch(page);

  await test.step("import and run", async () => {
    await server.signIn(page, "/workflows");
    await importPasted(page, approvedOrders("Approved orders"), "Approved orders");
    await expect(card(page, "Approval")).toBeVisible();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await expect(page.getByRole("region", { name: "Run" }).getByText("waiting").first()).toBeVisible();
    await page.getByRole("region", { name: "Run" }).getByRole("link", { name: "Debug" }).click();
  });

  await test.step("watch it live until it ends", async () => {
    await expect(canvasNode(page, "Approval")).toHaveAttribute("data-status", "WAITING");
    await expect(canvasNode(page, "Discount")).toHaveAttribute("data-status", "NONE");
    await page.getByRole("button", { name: "End the wait" }).click();
    const dialog = page.getByRole("dialog", { name: "End the wait" });
    await dialog.getByLabel("Items that it gives (if you want to say)").fill('[{ "id": 3, "total": 310 }]');
    await dialog.getByRole("button", { name: "End the wait" }).click();
    await expect(canvasNode(page, "Discount")).toHaveAttribute("data-status", "COMPLETED");
    await expect(page.getByRole("heading", { level: 1 })).toContainText("completed");
  });

  const run = new URL(page.url()).pathname;
  await test.step("rewind to the third node", async () => {
    await page.keyboard.press("Home");
    await expect(position(page)).toContainText("1 of");
    for (const done of ["Webhook", "Orders", "Large?"]) {
      await page.keyboard.press("l");
      await expect(canvasNode(page, done)).toHaveAttribute("data-status", "COMPLETED");
    }
    await expect(canvasNode(page, "Approval")).toHaveAttribute("data-status", "NONE");
    await expect(page).toHaveURL(/position=\d+/);
    await page.getByRole("tab", { name: "Items" }).click();
    const items = page.getByRole("region", { name: "Items of Large?" });
    await expect(items).toContainText("Alan");
    await expect(items).not.toContainText("Grace");
  });

  await test.step("fork from there with other data, and compare", async () => {
    await page.keyboard.press("f");
    const dialog = page.getByRole("dialog", { name: "Fork from here" });
    await dialog.getByRole("button", { name: "What a node gives" }).click();
    await dialog.getByLabel("Node", { exact: true }).selectOption("Approval");
    await dialog.getByLabel("Items by output, as JSON").fill('[[{ "id": 3, "total": 1000 }]]');
    await dialog.getByLabel("Why (if you want to say)").fill("what if it were more");
    await dialog.getByRole("button", { name: "Fork", exact: true }).click();
    await expect(page.getByText("A fork of")).toContainText("by Owner: “what if it were more”");
    expect(new URL(page.url()).pathname).not.toBe(run);
    await expect(canvasNode(page, "Discount")).toHaveAttribute("data-status", "COMPLETED");
    await canvasNode(page, "Discount").click();
    await expect(page.getByRole("region", { name: "Items of Discount" })).toContainText("900");
    await page.keyboard.press("c");
    await expect(page.getByRole("region", { name: "Result" })).toContainText("They differ first at Approval");
    const steps = page.getByRole("grid", { name: "Steps" });
    await steps.getByText("Discount", { exact: true }).click();
    const gave = page.getByRole("list", { name: "What it gave" });
    await expect(gave).toContainText("/0/0/json/discounted");
    await expect(gave).toContainText("279");
    await expect(gave).toContainText("900");
  });

  await test.step("publish, change and publish again", async () => {
    await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: "Workflows" }).click();
    await page.getByRole("link", { name: "Approved orders", exact: true }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    const first = page.getByRole("dialog", { name: "Publish version 1" });
    await first.getByRole("switch", { name: "Let this version take calls and schedules" }).click();
    // The draft did what it did: the gate lets it through.
    await first.getByRole("button", { name: "Check and publish" }).click();
    await expect(page.getByText("active · version 1")).toBeVisible();
    await card(page, "Discount").dblclick();
    const panel = page.getByRole("region", { name: "Node Discount" });
    await panel.getByRole("textbox", { name: "Value of discounted" }).fill("{{ $json.total * 0.5 }}");
    await expect(saved(page)).toBeVisible();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    const second = page.getByRole("dialog", { name: "Publish version 2" });
    await second.getByRole("button", { name: "Check and publish" }).click();
    await expect(second.getByRole("alert")).toContainText("Version 2 was not published");
    await second.getByRole("button", { name: "Look first" }).click();
    await second.getByRole("button", { name: /^Publish although \d differ/ }).click();
    await expect(page.getByText("active · version 2")).toBeVisible();
  });

  await test.step("roll back", async () => {
    await choose(page, "Versions");
    const versions = page.getByRole("navigation", { name: "Versions" });
    await versions.getByRole("button", { name: /^Version 1\b/ }).click();
    await page.getByRole("button", { name: "Roll back to it…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
    await expect(page.getByText("version 1 is active", { exact: true })).toBeVisible();
    await expect(versions).toContainText("Version 1 was activated");
  });

  await test.step("find who rolled back in the audit explorer", async () => {
    await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: "Audit" }).click();
    await page.getByRole("combobox", { name: "What" }).selectOption({ label: "Workflows" });
    const trail = page.getByRole("grid", { name: "Audit trail" });
    const activated = trail.getByRole("row").filter({ hasText: "activated version" });
    await expect(activated).toHaveText([
      /Owner activated version 1 of Approved orders/,
      /Owner activated version 2 of Approved orders/,
      /Owner activated version 1 of Approved orders/,
    ]);
    await activated.first().getByText("activated version 1").click();
    const dialog = page.getByRole("dialog", { name: "Who did what" });
    await expect(dialog).toContainText("Owner (owner@localhost)");
    await dialog.getByRole("link", { name: /WorkflowActivated/ }).click();
    await expect(page.getByRole("heading", { level: 2, name: "WorkflowActivated" })).toBeVisible();
  });

  expect(problems, "what the browser complained of").toEqual([]);
  await page.context().close();
  await server.stop();
});

test("two people see each other's workflows, drafts and runs as they change", async ({ owner, server, browser }) => {
  test.slow();
  const ada = await newcomer(server, browser, "Ada", "EDITOR");
  const { page: other } = ada;

  await test.step("the list of workflows", async () => {
    await other.goto(`${server.url}/workflows`);
    await live(other);
    await owner.goto(`${server.url}/workflows`);
    await importPasted(owner, approvedOrders("Worked on by two", "two"), "Worked on by two");
    // A list says that it changed, so that nothing moves under who reads it.
    await other.getByRole("button", { name: /^Workflows changed meanwhile/ }).click();
    await other.getByRole("link", { name: "Worked on by two", exact: true }).click();
    await expect(card(other, "Discount")).toBeVisible();
  });

  await test.step("the draft", async () => {
    await live(owner);
    await live(other);
    await rename(owner, "Worked on by both");
    await expect(other.getByRole("heading", { level: 1 })).toHaveText("Worked on by both");
    await disable(other, "Discount");
    await expect(card(owner, "Discount")).toHaveAccessibleName(/disabled/);
  });

  await test.step("a conflict, which is settled without a loss", async () => {
    // What the owner saves is held back until Ada has saved something else.
    const signs = new EventEmitter();
    const [isHeld, isFree] = [once(signs, "held"), once(signs, "free")];
    await owner.route("**/graphql", async (route) => {
      if (route.request().postData()?.includes("EditorImport") === true) {
        signs.emit("held");
        await isFree;
      }
      await route.fallback();
    });
    await disable(owner, "Large?", false);
    await owner.keyboard.press("Control+s");
    await isHeld;
    await disable(other, "Orders");
    signs.emit("free");
    const notice = owner.getByRole("alert", { name: "Changed by two" });
    await expect(notice).toContainText("Ada changed this workflow meanwhile");
    await expect(notice).toContainText("changed “Orders”");
    await expect(notice).toContainText("changed “Large?”");
    await owner.unroute("**/graphql");
    await notice.getByRole("button", { name: "Put both together" }).click();
    await expect(saved(owner)).toBeVisible();
    for (const page of [owner, other])
      for (const name of ["Orders", "Large?", "Discount"])
        await expect(card(page, name)).toHaveAccessibleName(/disabled/);
    await expect(saved(other)).toBeVisible();
    for (const name of ["Orders", "Large?", "Discount"]) await disable(owner, name);
    await expect(card(other, "Discount")).not.toHaveAccessibleName(/disabled/);
  });

  await test.step("a run", async () => {
    await owner.keyboard.press("Control+Enter");
    await owner.getByRole("region", { name: "Run" }).getByRole("link", { name: "Debug" }).click();
    await expect(canvasNode(owner, "Approval")).toHaveAttribute("data-status", "WAITING");
    await other.goto(owner.url());
    await expect(canvasNode(other, "Approval")).toHaveAttribute("data-status", "WAITING");
    await other.getByRole("button", { name: "End the wait" }).click();
    await other.getByRole("dialog").getByRole("button", { name: "End the wait" }).click();
    for (const page of [owner, other]) {
      await expect(canvasNode(page, "Discount")).toHaveAttribute("data-status", "COMPLETED");
      await expect(page.getByRole("heading", { level: 1 })).toContainText("completed");
    }
  });

  expect(ada.problems, "what Ada's browser complained of").toEqual([]);
  await other.context().close();
});

async function rename(page: Page, name: string): Promise<void> {
  await page.getByRole("heading", { level: 1 }).getByRole("button").click();
  await page.getByRole("textbox", { name: "Name of the workflow" }).fill(name);
  await page.keyboard.press("Enter");
  await expect(saved(page)).toBeVisible();
}

/** Switches a node off, or on again. */
async function disable(page: Page, name: string, waits = true): Promise<void> {
  await card(page, name).click();
  await page.keyboard.press("d");
  if (waits) await expect(saved(page)).toBeVisible();
}

/** Orders of which the large ones wait for a person. */
function approvedOrders(name: string, path = "approved-orders"): unknown {
  const jsCode = `return [
    { json: { id: 1, customer: "Ada", total: 120 } },
    { json: { id: 2, customer: "Grace", total: 45 } },
    { json: { id: 3, customer: "Alan", total: 310 } },
  ];`;
  const conditions = {
    options: { version: 2, caseSensitive: true, leftValue: "", typeValidation: "strict" },
    combinator: "and",
    conditions: [
      { id: "1", leftValue: "={{ $json.total }}", rightValue: 100, operator: { type: "number", operation: "gt" } },
    ],
  };
  return {
    name,
    nodes: [
      { ...node("Webhook", "webhook", 2, 0, 0, { path, httpMethod: "POST" }), webhookId: path },
      node("Orders", "code", 2, 220, 0, { jsCode }),
      node("Large?", "filter", 2.2, 440, 0, { conditions }),
      { ...node("Approval", "wait", 1.1, 660, 0, { resume: "webhook" }), webhookId: `${path}-approval` },
      set("Discount", 880, 0, "discounted", "={{ $json.total * 0.9 }}"),
    ],
    connections: {
      Webhook: { main: [to("Orders")] },
      Orders: { main: [to("Large?")] },
      "Large?": { main: [to("Approval")] },
      Approval: { main: [to("Discount")] },
    },
    settings: { executionOrder: "v1" },
  };
}
