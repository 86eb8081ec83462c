import type { Page } from "@playwright/test";
import {
  HOSTILE,
  begin,
  fileWorkflow,
  loopWorkflow,
  node,
  ordersWorkflow,
  set,
  to,
  waitingWorkflow,
} from "../support/debugged";
import { Server } from "../support/server";
import { LOOK_MS, expect, expectAccessible, test } from "../support/test";

let workflow: string;
let failed: string;

test.beforeAll(async ({ server }) => {
  workflow = await server.importWorkflow(ordersWorkflow("Orders"));
  failed = await server.execute(workflow);
});

const canvasNode = (page: Page, name: string) => page.locator(`[data-node="${name.replaceAll('"', '\\"')}"]`);
const position = (page: Page) => page.getByRole("region", { name: "Position" });
const events = (page: Page) => page.getByRole("listbox", { name: "Events" });

test("one position shows everything: canvas, events, items and state", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await expect(owner.getByRole("alert")).toContainText("Stop: no carrier");
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await owner.keyboard.press("Home");
  await expect(canvasNode(owner, "Start")).toHaveAttribute("data-status", "NONE");
  await expect(position(owner)).toContainText("1 of");
  await owner.keyboard.press("l");
  await owner.keyboard.press("l");
  await expect(canvasNode(owner, "Orders")).toHaveAttribute("data-status", "COMPLETED");
  await expect(canvasNode(owner, "Large?")).toHaveAttribute("data-status", "NONE");
  await expect(canvasNode(owner, "Orders")).toHaveAccessibleName(/changed since the last stop/);
  await owner.keyboard.press("i");
  await expect(owner.getByRole("region", { name: "Items of Orders" })).toContainText("Ada");
  await owner.keyboard.press("s");
  await expect(owner.getByRole("tree", { name: "State" })).toContainText('"running"');
  // The address has the whole view: whoever gets it sees the same.
  await expect(owner).toHaveURL(/position=\d+.*tab=state|tab=state.*position=\d+/);
  await owner.reload();
  await expect(canvasNode(owner, "Orders")).toHaveAttribute("data-status", "COMPLETED");
  await expect(canvasNode(owner, "Large?")).toHaveAttribute("data-status", "NONE");
  await expect(owner.getByRole("tree", { name: "State" })).toContainText('"running"');
  await owner.keyboard.press("End");
  await expect(owner.getByRole("tree", { name: "State" })).toContainText('"failed"');
  await owner.keyboard.press("k");
  await expect(events(owner)).toBeHidden();
});

test("all nodes are in view at first, whatever size the pane has, until somebody moves it", async ({
  owner,
  server,
}) => {
  const names = Array.from({ length: 14 }, (_, place) => (place === 0 ? "Start" : `Step ${place}`));
  const long = await server.importWorkflow({
    name: "A long way",
    nodes: names.map((name, place) =>
      place === 0 ? node(name, "manualTrigger", 1, 0, 0) : set(name, place * 220, (place % 3) * 90, "n", String(place)),
    ),
    connections: Object.fromEntries(
      names.slice(0, -1).map((name, place) => [name, { main: [to(`Step ${place + 1}`)] }]),
    ),
    settings: {},
  });
  const id = await server.execute(long);
  for (const [width, height, tab] of [
    [1280, 720, "events"],
    [390, 780, "canvas"],
  ] as const) {
    await owner.setViewportSize({ width, height });
    await owner.goto(`${server.url}/executions/${id}?tab=${tab}`);
    await expect(canvasNode(owner, "Step 13")).toHaveAttribute("data-status", "COMPLETED");
    for (const name of names) await expect(canvasNode(owner, name)).toBeInViewport({ ratio: 0.99 });
  }
  // The pane gets another size.
  await owner.setViewportSize({ width: 340, height: 640 });
  for (const name of names) await expect(canvasNode(owner, name)).toBeInViewport({ ratio: 0.99 });
  const larger = owner.getByRole("group", { name: "Workflow" }).getByRole("button", { name: "Larger" });
  for (let time = 0; time < 4; time += 1) await larger.click();
  await expect(canvasNode(owner, "Start")).not.toBeInViewport();
  await owner.setViewportSize({ width: 390, height: 780 });
  await expect(canvasNode(owner, "Start")).not.toBeInViewport();
  await owner.getByRole("group", { name: "Workflow" }).getByRole("button", { name: "Fit" }).click();
  await expect(canvasNode(owner, "Start")).toBeInViewport({ ratio: 0.99 });
});

test("a value tells from where it comes, back to the trigger", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await canvasNode(owner, "Discount").click();
  await owner.getByRole("region", { name: "Items of Discount" }).getByRole("button", { name: "108" }).click();
  const origin = owner.getByRole("dialog", { name: "From where this value comes" });
  const steps = origin.getByRole("list", { name: "Steps" }).getByRole("listitem");
  await expect(steps.first()).toContainText("={{ $json.total * 0.9 }}");
  await expect(steps.last()).toContainText("given to the execution");
  await steps.filter({ hasText: "Orders" }).getByRole("button", { name: "Orders" }).click();
  await expect(origin).toBeHidden();
  await expect(owner.getByRole("region", { name: "Items of Orders" })).toContainText("310");
});

test("what a node was given and gave is a table, JSON and a schema", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}?node=Discount&tab=items`);
  await owner.getByRole("button", { name: "Given" }).click();
  await expect(owner.getByRole("region", { name: "Items from Large?" })).not.toContainText("discounted");
  await owner.getByRole("button", { name: "Gave" }).click();
  await owner.getByRole("combobox", { name: "Shown as" }).selectOption("schema");
  await expect(owner.getByRole("region", { name: "Schema of Items of Discount" })).toContainText("2 of 2");
  await owner.getByRole("combobox", { name: "Shown as" }).selectOption("json");
  await expect(owner.getByRole("tree", { name: "Items of Discount" })).toContainText("279");
});

test("what changed since the mark is told, and which event wrote it", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await owner.keyboard.press("Home");
  await owner.keyboard.press("m");
  await owner.keyboard.press("l");
  await owner.keyboard.press("l");
  await owner.keyboard.press("d");
  const changes = owner.getByRole("list", { name: "Changes of the state" });
  await expect(changes.getByRole("listitem")).toHaveCount(2);
  await expect(changes).toContainText("/node_runs/1");
  await changes.getByRole("button", { name: /^event 2/ }).click();
  await expect(position(owner)).toContainText("2 of");
});

test("events are found by type, and by what is in their payloads", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await owner.keyboard.press("/");
  await owner.keyboard.type("Alan");
  await expect(events(owner).getByRole("option", { name: /Orders/ })).toBeVisible();
  await expect(events(owner).getByRole("option", { name: /started/ })).toHaveCount(0);
  await owner.keyboard.press("Control+a");
  await owner.keyboard.press("Delete");
  await owner.getByRole("button", { name: "All types" }).click();
  await owner.getByRole("menuitem", { name: "NodeFailed" }).click();
  await expect(events(owner).getByRole("option")).toHaveCount(1);
  await events(owner).getByRole("option").click();
  await expect(owner.getByRole("tree", { name: "Payload" })).toContainText("no carrier");
});

test("a fork changes what a node gave, and is compared with what it goes on from", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}?node=Discount`);
  await expect(canvasNode(owner, "Large?")).toHaveAttribute("data-status", "COMPLETED");
  await owner.keyboard.press("Home");
  await owner.keyboard.press("f");
  const dialog = owner.getByRole("dialog", { name: "Fork from here" });
  await expect(dialog.getByRole("heading", { name: "Nothing really happens" })).toBeVisible();
  await dialog.getByRole("button", { name: "What a node gives" }).click();
  await expect(dialog.getByRole("button", { name: "Fork", exact: true })).toBeDisabled();
  const items = dialog.getByLabel("Items by output, as JSON");
  await items.fill("[{]");
  await expect(dialog.getByText(/This is not JSON/)).toBeVisible();
  await dialog.getByRole("button", { name: "Begin with what was recorded" }).click();
  await expect(items).toHaveValue(/"discounted": 108/);
  await items.fill('[[{ "id": 9, "discounted": 1 }]]');
  await dialog.getByLabel("Why (if you want to say)").fill("what if");
  await dialog.getByRole("button", { name: "Fork", exact: true }).click();
  await expect(owner.getByText("A fork of")).toContainText("“what if”");
  await expect(canvasNode(owner, "Discount")).toHaveAccessibleName(/changed in this fork/);
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await owner.keyboard.press("c");
  await expect(owner.getByRole("region", { name: "Result" })).toContainText("They differ first at Discount");
  const steps = owner.getByRole("grid", { name: "Steps" });
  await expect(steps.getByRole("row", { selected: true })).toContainText("Discount");
  await expect(owner.getByRole("list", { name: "What it gave" })).toContainText("/0/0/json/discounted");
  // The last node fails alike, but was given other items: that is a difference too.
  await owner.getByRole("switch", { name: "Also what is the same" }).click();
  await expect(steps).toContainText("Orders");
  await owner.keyboard.press("n");
  await expect(steps.getByRole("row", { selected: true })).toContainText("Stop");
  await owner.keyboard.press("p");
  await expect(steps.getByRole("row", { selected: true })).toContainText("Discount");
  await owner.getByRole("tab", { name: "Both sides" }).click();
  await expect(owner.getByRole("tree", { name: "Left run" })).toContainText("108");
  await expect(owner.getByRole("tree", { name: "Right run" })).not.toContainText("108");
});

test("a retry is told of on both sides", async ({ owner, server }) => {
  const id = await server.execute(workflow);
  await owner.goto(`${server.url}/executions/${id}`);
  await owner.getByRole("button", { name: "Retry" }).click();
  await owner.getByRole("menuitem", { name: "From the start", exact: true }).click();
  await expect(owner).not.toHaveURL(new RegExp(id));
  await expect(owner.getByText("It tries another execution again")).toBeVisible();
  await owner.goto(`${server.url}/executions/${id}?tab=family`);
  await expect(owner.getByRole("list", { name: "Executions that belong together" })).toContainText("tried again as");
});

test("names of others are text and nothing else", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await canvasNode(owner, HOSTILE).click();
  await expect(owner.getByRole("heading", { name: HOSTILE })).toBeVisible();
  await expect(owner.getByRole("region", { name: `Items of ${HOSTILE}` })).toContainText(HOSTILE);
  await owner.goto(`${server.url}/executions/not-an-id`);
  await expect(owner.getByRole("heading", { name: "There is no such execution" })).toBeVisible();
  await owner.goto(`${server.url}/executions/01900000-0000-7000-8000-000000000000`);
  await expect(owner.getByRole("heading", { name: "There is no such execution" })).toBeVisible();
  await owner.goto(`${server.url}/executions/${failed}?position=99999999&run=-1&tab=nothing&node=Nobody`);
  await expect(position(owner)).toContainText(/of \d+/);
  await owner.goto(`${server.url}/compare?left=${encodeURIComponent(HOSTILE)}&right=${failed}`);
  await expect(owner.getByRole("region", { name: "Left" })).toContainText(HOSTILE);
  expect(await owner.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
});

test("an expression is watched over past executions, and its hits lead to the event", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions/${failed}`);
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await owner.keyboard.press("w");
  await owner.getByLabel("List every run of this workflow in which").fill("$json.discounted > 100");
  await owner.getByRole("button", { name: "Look", exact: true }).click();
  const found = owner.getByRole("list", { name: "Executions with hits" });
  await expect(found).toContainText("This execution");
  await found
    .getByRole("listitem")
    .filter({ hasText: "This execution" })
    .getByRole("button", { name: "Discount" })
    .click();
  await expect(canvasNode(owner, "Discount")).toHaveAttribute("data-status", "COMPLETED");
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "NONE");
  const expression = owner.getByLabel("List every run of this workflow in which");
  await expression.fill("$json.(");
  await owner.getByRole("button", { name: "Look", exact: true }).click();
  await expect(owner.getByRole("alert").filter({ hasText: "It could not be watched" })).toContainText("cannot be read");
  await expression.fill("$json.discounted.of.nothing() > 1");
  await owner.getByRole("button", { name: "Look", exact: true }).click();
  await expect(owner.getByText("It was true nowhere.")).toBeVisible();
  await owner.getByRole("switch", { name: "Give the value at every run" }).click();
  await owner.getByRole("button", { name: "Look", exact: true }).click();
  await expect(found.getByRole("listitem").first()).toContainText(/not a function|cannot read|undefined|error/i);
});

test("a breakpoint lets it stand still, step and go on, as it happens", async ({ owner, server }) => {
  const id = await begin(server, workflow, { breakpoints: [{ node: "Large?" }] });
  await owner.goto(`${server.url}/executions/${id}`);
  await expect(owner.getByText("It stands still at a breakpoint, before Large?")).toBeVisible();
  await expect(canvasNode(owner, "Large?")).toHaveAccessibleName(/has a breakpoint/);
  await expect(canvasNode(owner, "Large?")).toHaveAttribute("data-status", "NONE");
  await canvasNode(owner, "Large?").click();
  await owner.keyboard.press("b");
  await owner.getByRole("dialog", { name: "Breakpoint before Large?" }).getByRole("button", { name: "Remove" }).click();
  await expect(canvasNode(owner, "Large?")).not.toHaveAccessibleName(/has a breakpoint/);
  await owner.getByRole("button", { name: "Step" }).click();
  await expect(canvasNode(owner, "Large?")).toHaveAttribute("data-status", "COMPLETED");
  await expect(owner.getByText(/It stands still after a step/)).toBeVisible();
  await owner.getByRole("button", { name: "Go on" }).click();
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  await expect(owner.getByRole("alert")).toContainText("no carrier");
});

test("a wait is ended with items by a person", async ({ owner, server }) => {
  const id = await begin(server, await server.importWorkflow(waitingWorkflow("Waits")));
  await owner.goto(`${server.url}/executions/${id}`);
  await expect(canvasNode(owner, "Approval")).toHaveAttribute("data-status", "WAITING");
  await owner.getByRole("button", { name: "End the wait" }).click();
  const dialog = owner.getByRole("dialog", { name: "End the wait" });
  await dialog.getByLabel("Items that it gives (if you want to say)").fill('{"approved": true}');
  await expect(dialog.getByText("It has to be a list of objects")).toBeVisible();
  await dialog.getByLabel("Items that it gives (if you want to say)").fill('[{"approved": true}]');
  await dialog.getByRole("button", { name: "End the wait" }).click();
  await expect(canvasNode(owner, "After")).toHaveAttribute("data-status", "COMPLETED");
  await canvasNode(owner, "After").click();
  await expect(owner.getByRole("region", { name: "Items of After" })).toContainText("true");
});

test("attachments are looked at and downloaded", async ({ owner, server }) => {
  const id = await server.execute(await server.importWorkflow(fileWorkflow("Files")));
  await owner.goto(`${server.url}/executions/${id}?node=File&tab=items`);
  const files = owner.getByRole("list", { name: "Attachments" });
  await files.getByRole("button").first().click();
  await expect(owner.getByRole("dialog")).toContainText("hello from a file");
  const download = owner.waitForEvent("download");
  await owner.getByRole("dialog").getByRole("link", { name: "Download" }).click();
  expect((await download).suggestedFilename()).toMatch(/\.json$/);
});

test("a run of a thousand events opens at its end and is scrubbed without gaps", async ({ owner, server }) => {
  test.slow();
  const id = await server.execute(await server.importWorkflow(loopWorkflow("Long", 330)), 120_000);
  await owner.goto(`${server.url}/executions/${id}`);
  await expect(canvasNode(owner, "Note")).toHaveAccessibleName(/done, 330 runs/);
  await expect(owner.getByText("Reading history")).toHaveCount(0);
  const slider = owner.getByRole("slider", { name: "Event" });
  await slider.fill("500");
  await expect(position(owner)).toContainText("500 of");
  // Three events for each turn, after four at the beginning: what the page folds by itself is what the server says.
  await expect(canvasNode(owner, "Note")).toHaveAccessibleName(/done, 165 runs/);
  const { stateAt } = await server.ask<{ stateAt: { state: { node_runs: { node: string }[] } } }>(
    "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }, asOf: { revision: 500 }) { state } }",
    { id },
  );
  expect(stateAt.state.node_runs.filter((run) => run.node === "Note")).toHaveLength(165);
});

test("after a crash it goes on by itself, and nothing is lost", async ({ browser }) => {
  test.slow();
  const server = await Server.start();
  const id = await begin(server, await server.importWorkflow(waitingWorkflow("Survives")));
  const page = await browser.newPage();
  await server.signIn(page, `/executions/${id}`);
  await expect(canvasNode(page, "Approval")).toHaveAttribute("data-status", "WAITING");
  await server.restart();
  await server.ask(
    "mutation($id: UUID!) { resumeExecution(input: { executionId: $id }) { position errors { message } } }",
    { id },
  );
  await expect(canvasNode(page, "After")).toHaveAttribute("data-status", "COMPLETED", { timeout: 40_000 });
  await expect(page.getByRole("heading", { level: 1 })).toContainText("completed");
  await page.close();
  await server.stop();
});

test("the other run is picked from a list, and two that did the same are said to be the same", async ({
  owner,
  server,
}) => {
  await owner.goto(`${server.url}/compare?left=${failed}`);
  await owner.getByRole("region", { name: "Right" }).getByRole("button", { name: "Choose" }).click();
  const picker = owner.getByRole("dialog", { name: "Choose the right execution" });
  await picker.getByRole("row").nth(1).click();
  await expect(owner.getByRole("region", { name: "Result" })).toBeVisible();
  const id = await server.execute(workflow);
  await owner.goto(`${server.url}/compare?left=${failed}&right=${id}&all=true`);
  await expect(owner.getByRole("region", { name: "Result" })).toContainText("Both did the same and ended alike.");
  await expect(owner.getByRole("grid", { name: "Steps" })).toContainText("Discount");
});

test("everything is accessible in both themes, and fits on a phone", async ({ owner, server }) => {
  test.setTimeout(17 * LOOK_MS);
  const other = await server.execute(workflow);
  for (const colorScheme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme });
    for (const tab of ["events", "items", "state", "changes", "watch", "family"]) {
      await owner.goto(`${server.url}/executions/${failed}?tab=${tab}&node=Discount`);
      await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
      await expect(owner.locator("[aria-busy=true]")).toHaveCount(0);
      await expectAccessible(owner);
    }
    await owner.goto(`${server.url}/compare?left=${failed}&right=${other}&all=true`);
    await expect(owner.getByRole("grid", { name: "Steps" })).toContainText("Discount");
    await owner.getByText("Discount", { exact: true }).first().click();
    await expect(owner.locator("[aria-busy=true]")).toHaveCount(0);
    await expectAccessible(owner);
  }
  await owner.setViewportSize({ width: 375, height: 780 });
  for (const path of [
    `/executions/${failed}`,
    `/executions/${failed}?tab=items&node=Discount`,
    `/compare?left=${failed}&right=${other}&all=true`,
  ]) {
    await owner.goto(server.url + path);
    await expect(owner.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(owner.locator("[aria-busy=true]")).toHaveCount(0);
    expect(await owner.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    await expectAccessible(owner);
  }
});
