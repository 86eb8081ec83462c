import { readFile, writeFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { openExecution } from "../../src/pages/execution/capsule/open";
import { Past } from "../../src/pages/execution/capsule/past";
import { readCapsule } from "../../src/pages/execution/capsule/read";
import { blobOf, capsuleOf, toldBy } from "../support/capsules";
import { begin, fileWorkflow, loopWorkflow, ordersWorkflow, waitingWorkflow } from "../support/debugged";
import { changed } from "../support/change";
import type { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";

const canvasNode = (page: Page, name: string) => page.locator(`[data-node="${name}"]`);
const position = (page: Page) => page.getByRole("region", { name: "Position" });
const file = (page: Page): Locator => page.getByLabel("Capsule file");

/** Opens the page for capsules, and then takes all that is not in the browser away. */
async function alone(page: Page, server: Server): Promise<void> {
  await page.goto(`${server.url}/capsule`);
  await expect(page.getByText("Drop a capsule here")).toBeVisible();
  await page.route("**/*", (route) => route.abort());
}

test("an execution becomes a capsule, which a browser proves and scrubs through with no server", async ({
  owner,
  server,
  browser,
}) => {
  const workflow = await server.importWorkflow(ordersWorkflow("Orders"));
  const id = await server.execute(workflow);
  // Until a checkpoint covers it none can be made.
  await capsuleOf(server, id);
  await owner.goto(`${server.url}/executions/${id}`);
  await expect(canvasNode(owner, "Stop")).toHaveAttribute("data-status", "FAILED");
  const downloading = owner.waitForEvent("download");
  await owner.getByRole("button", { name: "More" }).click();
  await owner.getByRole("menuitem", { name: "Make a capsule" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe(`${id}.capsule`);
  const made = await download.path();
  const keys = await server.verb("audit", "keys");

  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await server.signIn(page);
  await alone(page, server);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.method()));
  await file(page).setInputFiles(made);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Orders");
  await expect(page.getByRole("alert")).toContainText("Stop: no carrier");
  await expect(canvasNode(page, "Stop")).toHaveAttribute("data-status", "FAILED");
  await expectAccessible(page);

  await test.step("who signed it is not known before somebody says so", async () => {
    await page.getByRole("button", { name: "whole, but not proved" }).click();
    const proof = page.getByRole("region", { name: "Proof" });
    await expect(proof).toContainText("Whole, but not proved");
    await proof.getByLabel("Public keys of the log").fill("no key");
    await proof.getByRole("button", { name: "Check with these" }).click();
    await expect(proof.getByRole("alert")).toContainText("key number 1 is not NAME+ID+KEY");
    await proof.getByLabel("Public keys of the log").fill(keys);
    await proof.getByRole("button", { name: "Check with these" }).click();
    await expect(proof.getByRole("status")).toContainText("Proved by this browser: all 9 events are in the tree of");
    await expect(page.getByRole("region", { name: "What was run" })).toContainText("n8n-nodes-base.set 3.4");
    await expect(page.getByRole("region", { name: "What is sealed" })).toContainText("every event can be read");
    await expectAccessible(page);
  });

  await test.step("it is scrubbed through: canvas, items, state and changes follow", async () => {
    await page.keyboard.press("Home");
    await expect(canvasNode(page, "Start")).toHaveAttribute("data-status", "NONE");
    await expect(position(page)).toContainText("1 of 8");
    await page.keyboard.press("l");
    await page.keyboard.press("l");
    await expect(canvasNode(page, "Orders")).toHaveAttribute("data-status", "COMPLETED");
    await expect(canvasNode(page, "Large?")).toHaveAttribute("data-status", "NONE");
    await page.keyboard.press("i");
    await expect(page.getByRole("region", { name: "Items of Orders" })).toContainText("Ada");
    await page.getByRole("button", { name: "Given" }).click();
    await expect(page.getByRole("region", { name: "Items from Start" })).toBeVisible();
    await page.keyboard.press("s");
    await expect(page.getByRole("tree", { name: "State" })).toContainText('"running"');
    await page.keyboard.press("m");
    await page.keyboard.press("End");
    await expect(page.getByRole("tree", { name: "State" })).toContainText('"failed"');
    await page.keyboard.press("d");
    const changes = page.getByRole("list", { name: "Changes of the state" });
    await expect(changes).toContainText("/failed_node");
    await changes.getByRole("listitem").filter({ hasText: "/failed_node" }).getByRole("button").click();
    await expect(position(page)).toContainText("8 of 8");
  });

  await test.step("payloads are searched, and an event tells who brought it about", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("Alan");
    const events = page.getByRole("listbox", { name: "Events" });
    await expect(events.getByRole("option", { name: /Orders/ })).toBeVisible();
    await expect(events.getByRole("option", { name: /started/ })).toHaveCount(0);
    await events.getByRole("option", { name: /Orders/ }).click();
    await expect(page.getByText("by engine")).toBeVisible();
    await expect(page.getByRole("tree", { name: "Payload" })).toContainText('"node_completed"');
  });
  // What is loaded when it is needed may be asked for, and is not there. Nothing is ever sent.
  expect(asked.filter((method) => method !== "GET")).toEqual([]);

  await page.setViewportSize({ width: 390, height: 800 });
  await expect(page.getByRole("tab", { name: "Canvas" })).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await context.close();
});

test("what was changed, is newer, or is no capsule is refused, and nothing of it is shown", async ({
  server,
  browser,
}, info) => {
  const id = await server.execute(await server.importWorkflow(ordersWorkflow("Kept secret")));
  const made = await readFile(await capsuleOf(server, id));
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  const problems = watch(page);
  await server.signIn(page);
  await page.goto(`${server.url}/capsule`);
  await expect(page.getByText("Drop a capsule here")).toBeVisible();
  const tampered = Buffer.from(made);
  const middle = Math.floor(made.length / 2);
  tampered.writeUInt8(tampered.readUInt8(middle) ^ 1, middle);
  const cut = made.subarray(0, made.length - 100);
  for (const [name, content, why] of [
    ["tampered.capsule", tampered, /was changed|it was changed/],
    ["cut.capsule", cut, "this is no whole capsule: it was cut off or changed on its way, or is another kind of file"],
    ["letter.txt", Buffer.from("Dear Ada"), "or is another kind of file"],
  ] as const) {
    const path = info.outputPath(name);
    await writeFile(path, content);
    await file(page).setInputFiles(path);
    const alert = page.getByRole("alert");
    await expect(alert).toContainText(`${name} is not opened`);
    await expect(alert).toContainText(typeof why === "string" ? new RegExp(why.slice(1)) : why);
    await expect(page.locator("main")).not.toContainText("Kept secret");
  }
  await expectAccessible(page);
  // After a refusal the right file opens all the same.
  const path = info.outputPath("whole.capsule");
  await writeFile(path, made);
  await file(page).setInputFiles(path);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Kept secret");
  expect(problems).toEqual([]);
  await context.close();

  await test.step("wherever a byte was changed", async () => {
    const whole = await readCapsule(new Blob([made]));
    for (let at = 0; at < made.length; at += Math.ceil(made.length / 97)) {
      const other = Buffer.from(made);
      other.writeUInt8(other.readUInt8(at) ^ 4, at);
      // Some bytes of an archive say nothing: then what comes out is what was there.
      const read = await readCapsule(new Blob([other])).catch((error: unknown) => (error as Error).name);
      if (typeof read === "string") expect(read, `byte ${at}`).toBe("Refusal");
      else expect(read, `byte ${at}`).toEqual(whole);
    }
  });
});

test("it opens without a network once its page was open before", async ({ server, browser }) => {
  const id = await server.execute(await server.importWorkflow(ordersWorkflow("Offline")));
  const made = await capsuleOf(server, id);
  const context = await browser.newContext();
  const page = await context.newPage();
  await server.signIn(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  // The second time the worker is there from the beginning, and keeps what is loaded.
  for (let time = 0; time < 2; time += 1) {
    await page.goto(`${server.url}/capsule`);
    await expect(page.getByText("Drop a capsule here")).toBeVisible();
  }
  await context.setOffline(true);
  await page.reload();
  await file(page).setInputFiles(made);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Offline");
  await expect(canvasNode(page, "Stop")).toHaveAttribute("data-status", "FAILED");
  await context.close();
});

test("files of items are in it, and the palette leads to the page", async ({ owner, server }) => {
  const id = await server.execute(await server.importWorkflow(fileWorkflow("Files")));
  const made = await capsuleOf(server, id);
  await owner.keyboard.press("Control+k");
  await owner.getByRole("dialog").getByRole("combobox").fill("capsule");
  await owner.getByRole("option", { name: "Open a capsule" }).click();
  await expect(owner.getByRole("heading", { level: 1, name: "Capsule" })).toBeVisible();
  await file(owner).setInputFiles(made);
  await canvasNode(owner, "File").click();
  await owner.getByRole("button", { name: /^greeting\.json/ }).click();
  await expect(owner.getByRole("dialog", { name: "greeting.json" })).toContainText("hello from a file");
  const downloading = owner.waitForEvent("download");
  await owner.getByRole("dialog", { name: "greeting.json" }).getByRole("button", { name: "Download" }).click();
  expect((await downloading).suggestedFilename()).toBe("greeting.json");
  await owner.getByRole("button", { name: "Close" }).last().click();
  await owner.getByRole("tab", { name: "Capsule" }).click();
  await owner.getByRole("button", { name: "Ask this server for its keys" }).click();
  await expect(owner.getByRole("region", { name: "Proof" }).getByRole("status")).toContainText(
    "signed by a key that this server gave",
  );
});

test("a fork's capsule has what it goes on from, which is dropped and looked at as well", async ({ owner, server }) => {
  const failed = await server.execute(await server.importWorkflow(ordersWorkflow("Forked")));
  const forked = await started(server, "forkExecution", "ForkExecutionInput", {
    executionId: failed,
    at: { revision: 4 },
    reason: "what if",
    changes: [{ parameter: { node: "Stop", path: "/errorMessage", value: "another" } }],
  });
  const content = (await readFile(await capsuleOf(server, forked))).toString("base64");
  await owner.goto(`${server.url}/capsule`);
  const dropped = await owner.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], "fork.capsule"));
    return transfer;
  }, content);
  await owner.getByText("Drop a capsule here").dispatchEvent("drop", { dataTransfer: dropped });
  await expect(owner.getByRole("alert")).toContainText("Stop: another");
  await expect(canvasNode(owner, "Stop")).toHaveAccessibleName(/changed in this fork/);
  await expect(canvasNode(owner, "Orders")).toHaveAttribute("data-status", "EARLIER");
  await canvasNode(owner, "Orders").click();
  await expect(owner.getByRole("region", { name: "Items of Orders" })).toContainText("Ada");
  await expect(owner.getByText("from the execution before")).toBeVisible();
  await owner.getByRole("combobox", { name: "Execution" }).selectOption(failed);
  await expect(owner.getByRole("alert")).toContainText("Stop: no carrier");
  await expect(canvasNode(owner, "Orders")).toHaveAttribute("data-status", "COMPLETED");
});

test("what is sealed is told, field by field, and is not shown", async ({ owner, server }) => {
  const workflowId = await server.importWorkflow(ordersWorkflow("About somebody"));
  const { executionId } = await changed<{ executionId: string }>(
    server,
    "startExecution",
    "StartExecutionInput",
    { workflowId, subject: "customer-9", mode: "MANUAL", waitFor: "COMPLETED", timeoutMs: 30_000 },
    "executionId",
  );
  const made = await capsuleOf(server, executionId);
  await owner.goto(`${server.url}/capsule`);
  await file(owner).setInputFiles(made);
  await owner.getByRole("tab", { name: "Capsule" }).click();
  const sealed = owner.getByRole("list", { name: "Sealed events" });
  await expect(sealed.getByRole("listitem").filter({ hasText: "NodeCompleted" }).first()).toContainText("outputs");
  await sealed.getByRole("button", { name: "event 3" }).click();
  await expect(position(owner)).toContainText("3 of");
  await owner.getByRole("tab", { name: "Events" }).click();
  await expect(owner.getByRole("tree", { name: "Payload" })).toContainText("$erased");
  await expect(owner.locator("main")).not.toContainText("Ada");
});

test("an execution that has not ended gives none, and says why", async ({ owner, server }) => {
  const id = await begin(server, await server.importWorkflow(waitingWorkflow("Not yet")));
  await owner.goto(`${server.url}/executions/${id}`);
  await expect(canvasNode(owner, "Approval")).toHaveAttribute("data-status", "WAITING");
  await owner.getByRole("button", { name: "More" }).click();
  await expect(owner.getByRole("menuitem", { name: "Make a capsule" })).toHaveAttribute("aria-disabled", "true");
  await changed(server, "resumeExecution", "ResumeExecutionInput", { executionId: id });
});

test("what the browser folds is what the server folds, after every event", async ({ server }) => {
  test.setTimeout(240_000);
  const orders = await server.importWorkflow(ordersWorkflow("Folded"));
  const failed = await server.execute(orders);
  const waiting = await begin(server, await server.importWorkflow(waitingWorkflow("Waited")));
  await expect.poll(() => statusOf(server, waiting)).toBe("WAITING");
  await changed(server, "resumeExecution", "ResumeExecutionInput", { executionId: waiting, items: [{ said: "yes" }] });
  await expect.poll(() => statusOf(server, waiting)).toBe("COMPLETED");
  const retried = await started(server, "retryExecution", "RetryExecutionInput", { executionId: failed });
  const forked = await started(server, "forkExecution", "ForkExecutionInput", {
    executionId: failed,
    at: { revision: 4 },
    reason: "what if",
    changes: [{ parameter: { node: "Stop", path: "/errorMessage", value: "another" } }],
  });
  const loop = await server.execute(await server.importWorkflow(loopWorkflow("Turns", 5)));
  for (const id of [failed, waiting, retried, forked, loop]) {
    const capsule = await readCapsule(await blobOf(await capsuleOf(server, id)));
    const past = Past.of(capsule, id);
    expect(past.events.length, id).toBeGreaterThan(2);
    for (let revision = 1; revision <= past.events.length; revision += 1) {
      const told = await toldBy(server, id, revision);
      expect(past.state(revision).state, `${id} after event ${revision}`).toEqual(told.stateAt.state);
      const changes = past.changes(Math.max(1, revision - 3), revision);
      const brief = (one: { op: string; path: string; writtenBy: { revision: number } | null }) =>
        `${one.op} ${one.path} by ${one.writtenBy?.revision ?? "nobody"}`;
      expect(changes.map(brief).sort(), `${id} up to event ${revision}`).toEqual(
        told.stateDiff.changes.map(brief).sort(),
      );
    }
    const opened = openExecution(capsule, id);
    const { workflow } = await server.ask<{ workflow: { definition: unknown } }>(
      "query($id: UUID!) { workflow(id: $id) { definition } }",
      { id: opened.workflow.id },
    );
    let definition: unknown;
    opened.source.definition().ask(({ data }) => (definition = data));
    expect(definition).toEqual(workflow.definition);
  }
});

async function statusOf(server: Server, id: string): Promise<string | undefined> {
  const { execution } = await server.ask<{ execution: { status: string } | null }>(
    "query($id: UUID!) { execution(id: $id) { status } }",
    { id },
  );
  return execution?.status;
}

/** Starts an execution from another one, and answers it once it has ended. */
async function started(server: Server, field: string, type: string, input: unknown): Promise<string> {
  const { executionId } = await changed<{ executionId: string }>(server, field, type, input, "executionId");
  await expect.poll(() => statusOf(server, executionId)).toMatch(/COMPLETED|FAILED/);
  return executionId;
}
