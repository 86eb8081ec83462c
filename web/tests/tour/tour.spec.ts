// Makes sample data in a server of its own, and takes the pictures of docs/tour.md as somebody would see the pages.
import { readFile, readdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import * as ai from "../support/ai-data";
import { capsuleOf } from "../support/capsules";
import { changed } from "../support/change";
import { activate, call } from "../support/failing";
import { Provider } from "../support/provider";
import { Server } from "../support/server";
import { expect, test } from "../support/test";
import * as sample from "./sample";

const FOLDER = fileURLToPath(new URL("../../../docs/tour/", import.meta.url));
const PICTURES_BYTES_MAX = 3_000_000;

let server: Server;
let provider: Provider;
let page: Page;
let workflow: string;
let run: string;

test.describe.configure({ mode: "serial" });

test.beforeAll(async ({ browser, contextOptions, viewport, locale, timezoneId }) => {
  test.setTimeout(240_000);
  provider = await Provider.start();
  server = await Server.start(["--allow-private-hosts", "*"]);
  page = await (await browser.newContext({ ...contextOptions, viewport, locale, timezoneId })).newPage();
  await server.signIn(page);
});

test.afterAll(async () => {
  await page.context().close();
  await server.stop();
  await provider.stop();
});

/** Opens a page and waits until nothing on it is on its way. */
async function open(path: string): Promise<void> {
  await page.goto(server.url + path);
  await settled();
}

async function settled(): Promise<void> {
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("[aria-busy=true], .animate-pulse:not([aria-hidden])")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
}

/** Takes a picture once what was said in a corner is gone. */
async function picture(name: string, theme: "light" | "dark" = "light"): Promise<void> {
  await page.emulateMedia({ colorScheme: theme });
  await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
  await expect(page.getByRole("button", { name: "Close the message" })).toHaveCount(0, { timeout: 30_000 });
  await page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled", caret: "hide" });
  await page.emulateMedia({ colorScheme: "light" });
}

const dialog = () => page.getByRole("dialog");
const card = (name: string) => page.locator(`.react-flow__node[data-id="${name}"]`);
const canvasNode = (name: string) => page.locator(`[data-node="${name}"]`);

test("import", async () => {
  await open("/workflows?open=import");
  const json = (name: string, file: unknown) => ({
    name,
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify(file)),
  });
  await dialog()
    .getByLabel("Workflow files")
    .setInputFiles([
      json("orders.json", sample.orders()),
      json("refunds.json", sample.approval()),
      json("deals.json", sample.lacking()),
    ]);
  await expect(dialog().getByRole("status")).toHaveText("3 imported · 1 of them lack nodes");
  await picture("import");
  const { workflows } = await server.ask<{ workflows: { nodes: { id: string; name: string }[] } }>(
    "{ workflows(first: 10) { nodes { id name } } }",
  );
  workflow = workflows.nodes.find((one) => one.name === "Orders of the day")?.id ?? "";
});

test("edit and run", async () => {
  await open(`/workflows/${workflow}`);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(card("Label")).toHaveAccessibleName(/gave 3 items/);
  await open(`/workflows/${workflow}?node=Label`);
  await expect(card("Label")).toHaveAccessibleName(/gave 3 items/);
  const field = page.getByRole("textbox", { name: "Value of label" });
  await field.focus();
  await expect(page.getByText("Ada Lovelace, 108 EUR").first()).toBeVisible();
  await picture("editor");
  await open(`/workflows/${workflow}?view=outline&node=Read+orders&tab=output`);
  await expect(page.getByRole("grid", { name: "Output of Read orders" })).toBeVisible();
  await picture("outline", "dark");
  await page.goto(`${server.url}/executions?workflow=${workflow}`);
  await page.getByRole("grid", { name: "Executions" }).getByRole("link", { name: "Orders of the day" }).first().click();
  await expect(page).toHaveURL(/\/executions\/[0-9a-f-]{36}/);
  run = /[0-9a-f-]{36}/.exec(page.url())?.[0] ?? "";
});

test("rewind, fork and compare", async () => {
  await open(`/executions/${run}`);
  await expect(canvasNode("Label")).toHaveAttribute("data-status", "COMPLETED");
  await page.keyboard.press("Home");
  for (const done of ["orders", "Read orders", "Large?"]) {
    await page.keyboard.press("l");
    await expect(canvasNode(done)).toHaveAttribute("data-status", "COMPLETED");
  }
  await page.getByRole("tab", { name: "Items" }).click();
  await expect(page.getByRole("region", { name: "Items of Large?" }).first()).toContainText("Alan");
  await settled();
  await page.getByRole("button", { name: "Fit", exact: true }).click();
  await expect(canvasNode("Label")).toBeInViewport({ ratio: 0.99 });
  await page.getByRole("heading", { level: 1 }).click();
  await picture("rewind");
  await page.keyboard.press("f");
  await dialog().getByRole("button", { name: "What a node gives" }).click();
  await dialog().getByLabel("Node", { exact: true }).selectOption("Discount");
  await dialog()
    .getByLabel("Items by output, as JSON")
    .fill('[[{ "id": 1044, "customer": "Alan Turing", "total": 310, "discounted": 250 }]]');
  await dialog().getByLabel("Why (if you want to say)").fill("what if he had got a better price");
  await expect(dialog().getByRole("heading", { name: "Nothing really happens" })).toBeVisible();
  await picture("fork");
  await dialog().getByRole("button", { name: "Fork", exact: true }).click();
  await expect(page.getByText("A fork of")).toBeVisible();
  await expect(canvasNode("Label")).toHaveAttribute("data-status", "COMPLETED");
  await page.keyboard.press("c");
  await expect(page.getByRole("list", { name: "What it gave" })).toBeVisible();
  await settled();
  await picture("compare");
});

test("a capsule", async () => {
  const file = await capsuleOf(server, run);
  const keys = await server.verb("audit", "keys");
  await open("/capsule");
  await page.getByLabel("Capsule file").setInputFiles({
    name: "orders.capsule",
    mimeType: "application/zip",
    buffer: await readFile(file),
  });
  await page.getByRole("tab", { name: "Capsule" }).click();
  await page.getByLabel("Public keys of the log").fill(keys);
  await page.getByRole("button", { name: "Check with these" }).click();
  await expect(page.getByRole("button", { name: "proved", exact: true })).toBeVisible();
  await page.getByRole("heading", { level: 1 }).click();
  await picture("capsule");
});

test("publish", async () => {
  await activate(server, workflow);
  await changed(server, "importWorkflow", "ImportWorkflowInput", {
    workflowId: workflow,
    definition: sample.orders(0.8),
  });
  await open(`/workflows/${workflow}/versions`);
  await expect(page.getByRole("region", { name: "Node Discount" })).toBeVisible();
  await picture("versions");
  await page.keyboard.press("p");
  await dialog().getByRole("button", { name: "Look first" }).click();
  await expect(dialog().getByText(/^\d+ differ$/)).toBeVisible();
  await picture("publish");
});

test("home and audit", async () => {
  const late = await server.importWorkflow(sample.failing("Send invoices", "invoices", "the mail server answered 451"));
  const { workflows } = await server.ask<{ workflows: { nodes: { id: string; name: string }[] } }>(
    "{ workflows(first: 10) { nodes { id name } } }",
  );
  const refunds = workflows.nodes.find((one) => one.name === "Approve a refund")?.id ?? "";
  await activate(server, late);
  await activate(server, refunds);
  await call(server, late, "invoices", 3, "FAILED");
  await call(server, workflow, "orders-of-the-day", 4, "COMPLETED");
  await call(server, refunds, "refunds", 1, "WAITING");
  await changed(server, "createAccount", "CreateAccountInput", {
    kind: "USER",
    name: "Grace Hopper",
    email: "grace@example.org",
    roles: ["EDITOR"],
    reason: "joins the team",
  });
  await open("/");
  await expect(page.getByRole("region", { name: "Waiting for somebody" })).toContainText("Approve a refund");
  await picture("home");
  await open("/executions");
  await picture("executions");
  await open("/audit");
  await expect(page.getByRole("grid", { name: "Audit trail" })).toContainText(
    "Owner made the user account Grace Hopper",
  );
  await settled();
  await picture("audit");
  await open("/events?category=workflow");
  await page.getByRole("grid", { name: "Events" }).getByText("WorkflowVersionPublished").first().click();
  await settled();
  await picture("events", "dark");
});

test("agents, models and the gateway", async () => {
  await ai.gateway(server, provider);
  await ai.supportAgent(server, provider, "support", "Answers customers of the shop");
  for (const [route, text] of [
    ["fast", "Good morning"],
    ["careful", "Is parcel 7 on its way?"],
    ["fast", "Thank you"],
  ] as const)
    await ai.chat(server, route, text);
  const runId = await ai.runAgent(server, "Please refund 9", { waitFor: "STARTED" });
  await open(`/agent-runs/${runId}`);
  await expect(page.getByRole("region", { name: "Waits for an approval" })).toBeVisible();
  await picture("agent");
  await ai.addModel(server, "iris", "iris", true);
  for (const lengths of [
    [5.1, 3.5, 1.4, 0.2],
    [6.3, 2.9, 5.6, 1.8],
    [5.9, 3.0, 4.2, 1.5],
  ])
    await ai.flower(server, lengths);
  await open("/models/iris");
  await expect(page.getByRole("group", { name: /^Version 1/ })).toBeVisible();
  await picture("model");
  await open("/gateway?tab=routes");
  await expect(page.getByRole("group", { name: "careful" })).toBeVisible();
  await picture("gateway", "dark");
});

test("admin", async () => {
  await open("/admin/accounts");
  await page.getByRole("grid", { name: "Accounts" }).getByText("grace@example.org").click();
  await expect(page.getByRole("region", { name: "Account", exact: true })).toBeVisible();
  await settled();
  await picture("admin");
});

test("all pictures together are small", async () => {
  const sizes = await Promise.all((await readdir(FOLDER)).map(async (name) => (await stat(FOLDER + name)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`${sizes.length} pictures, ${(bytes / 1_000).toFixed(0)} kB`);
  expect(bytes).toBeLessThanOrEqual(PICTURES_BYTES_MAX);
});
