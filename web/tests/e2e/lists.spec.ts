import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { activate, call, chain, failing, node, webhook } from "../support/failing";
import { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";
import { smallWorkflow } from "../support/workflows";

const ODD = "<img src=x onerror=document.title='broken'>";

/** What the tests work on. */
interface World {
  orders: string;
  invoices: string;
  versions: string;
}
let world: World;

test.beforeAll(async ({ server }) => {
  const orders = await server.importWorkflow(failing("Take orders", "orders", "the shop answered 502"));
  const invoices = await server.importWorkflow(failing("Send invoices", "invoices", ODD));
  const asking = await server.importWorkflow(
    chain("Ask a person", [webhook("ask"), node("Wait for yes", "wait", { resume: "webhook" }, 1.1, 1)]),
  );
  for (const id of [orders, invoices, asking]) await activate(server, id);
  await call(server, orders, "orders", 3, "FAILED");
  await call(server, invoices, "invoices", 2, "FAILED");
  await call(server, asking, "ask", 1, "WAITING");
  await server.importWorkflow(smallWorkflow(ODD));
  const versions = await server.importWorkflow(smallWorkflow("Greet"));
  await server.execute(versions);
  world = { orders, invoices, versions };
});

async function open(page: Page, server: Server, path: string): Promise<void> {
  await page.goto(server.url + path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
}

function grid(page: Page, name: string) {
  return page.getByRole("grid", { name, exact: true });
}

/** A row by what is in it; the heading is a row as well. */
function row(page: Page, table: string, text: string | RegExp) {
  return grid(page, table).getByRole("row").filter({ hasText: text });
}

/** Waits for what a corner of the window says. */
async function said(page: Page, text: string): Promise<void> {
  await expect(page.getByText(text, { exact: true })).toBeVisible();
}

test.describe("home", () => {
  test("tells what needs attention, and a cause is dismissed with all its failures", async ({ owner, server }) => {
    await open(owner, server, "/");
    const failures = owner.getByRole("region", { name: "Unresolved failures" });
    await expect(failures).toContainText("the shop answered 502");
    await expect(failures.getByText(ODD)).toBeVisible();
    const waiting = owner.getByRole("region", { name: "Waiting for somebody" });
    await expect(waiting).toContainText("Ask a person");
    await expect(owner.getByRole("region", { name: "The platform" })).toContainText("1 process lives");
    await expect(owner.getByRole("region", { name: "Changed lately" })).toContainText("Greet");

    await failures.getByRole("button", { name: `Dismiss: ${ODD}` }).click();
    const dialog = owner.getByRole("dialog");
    await dialog.getByLabel(/^Why/).fill("a test");
    await dialog.getByRole("button", { name: "Dismiss 2" }).click();
    await said(owner, "2 executions dismissed");
    await expect(failures.getByText(ODD)).toBeHidden();
    await expect(failures).toContainText("the shop answered 502");
  });

  test("a new failure comes by itself, and a wait is ended", async ({ owner, server }) => {
    await open(owner, server, "/");
    const failures = owner.getByRole("region", { name: "Unresolved failures" });
    await expect(failures).toContainText("the shop answered 502");
    await expect(owner.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
    const late = await server.importWorkflow(failing("Late", "late", "it came late"));
    await activate(server, late);
    await call(server, late, "late", 1, "FAILED");
    await expect(failures).toContainText("it came late");

    const waiting = owner.getByRole("region", { name: "Waiting for somebody" });
    await waiting.getByRole("button", { name: "End the wait: Ask a person" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "End the wait" }).click();
    await expect(waiting).toContainText("None waits for you");
  });

  test("a newcomer is led to an example, which runs", async ({ browser }) => {
    const server = await Server.start();
    const page = await (await browser.newContext()).newPage();
    const problems = watch(page);
    await server.signIn(page);
    await expect(page.getByRole("heading", { name: "There is no workflow here yet" })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole("link", { name: /Try an example/ }).click();
    for (const example of ["Sum up open orders", "Answer a webhook", "Wait, then go on"]) {
      await page.goto(`${server.url}/workflows?open=new`);
      await page.getByRole("button", { name: `Take the example ${example}` }).click();
      await expect(page).toHaveURL(/\/workflows\/[0-9a-f-]{36}$/);
    }
    const { workflows } = await server.ask<{ workflows: { nodes: { id: string; name: string; missingNodes: [] }[] } }>(
      "{ workflows(first: 10) { nodes { id name missingNodes { node } } } }",
    );
    expect(workflows.nodes.map((one) => one.missingNodes.length)).toEqual([0, 0, 0]);
    const sum = workflows.nodes.find((one) => one.name === "Sum up open orders");
    const execution = await server.execute(sum?.id ?? "");
    const { execution: ran } = await server.ask<{
      execution: { status: string; nodeRuns: { nodes: { node: string; output: [{ json: unknown }[]] }[] } };
    }>("query($id: UUID!) { execution(id: $id) { status nodeRuns(first: 9) { nodes { node output } } } }", {
      id: execution,
    });
    expect(ran.status).toBe("COMPLETED");
    expect(ran.nodeRuns.nodes.at(-1)?.output[0][0]?.json).toEqual({ open: 2, total: 115 });
    await activate(server, workflows.nodes.find((one) => one.name === "Answer a webhook")?.id ?? "");
    const greeted = await fetch(`${server.url}/webhook/greet?name=Ada`);
    expect(await greeted.json()).toMatchObject({ greeting: "Hello Ada" });
    expect(problems).toEqual([]);
    await page.context().close();
    await server.stop();
  });
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
    await expect(row(owner, "Workflows", "Take orders")).toBeVisible();
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

test.describe("versions", () => {
  test("tell who published what, how they differ, and are gone back to", async ({ owner, server }) => {
    const id = world.versions;
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

test.describe("executions", () => {
  test("are narrowed by the address, and what it may not say is left out", async ({ owner, server }) => {
    await open(owner, server, `/executions?workflow=${world.orders}&trigger=WEBHOOK&status=nonsense`);
    await expect(row(owner, "Executions", "Take orders").first()).toBeVisible();
    await expect(row(owner, "Executions", "Send invoices")).toHaveCount(0);
    await expect(owner.getByRole("combobox", { name: "Workflow" })).toHaveValue("Take orders");
    await owner.getByRole("combobox", { name: "Status" }).selectOption("COMPLETED");
    await expect(owner.getByRole("heading", { name: "None is so" })).toBeVisible();
    await owner.getByRole("button", { name: "Show all" }).last().click();
    await expect(row(owner, "Executions", "Greet").first()).toBeVisible();
  });

  test("of the past are shown as they were then", async ({ owner, server }) => {
    await open(owner, server, "/executions?at=2020-01-01T00:00:00Z");
    await expect(owner.getByRole("heading", { name: "None is so" })).toBeVisible();
    await owner.getByRole("button", { name: "Remove the condition As it was at" }).click();
    await expect(row(owner, "Executions", "Take orders").first()).toBeVisible();
  });

  test("new ones wait above until they are wanted, and changed ones change in place", async ({ owner, server }) => {
    await open(owner, server, `/executions?workflow=${world.versions}`);
    await expect(row(owner, "Executions", "Greet")).not.toHaveCount(0);
    await expect(owner.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
    const before = await row(owner, "Executions", "Greet").count();
    await server.execute(world.versions);
    await owner.getByRole("button", { name: "1 new" }).click();
    await expect(row(owner, "Executions", "Greet")).toHaveCount(before + 1);
  });

  test("failures are grouped by cause, and one is retried from the list", async ({ owner, server }) => {
    await open(owner, server, "/executions?group=cause&unresolved=true");
    const cause = row(owner, "Failures by cause", "the shop answered 502");
    await expect(cause).toContainText("3");
    await expect(cause).toContainText("Take orders");
    await cause.getByRole("button", { name: "the shop answered 502" }).click();
    await expect(owner).toHaveURL(/fingerprint=/);
    await expect(row(owner, "Executions", "Take orders")).toHaveCount(3);

    await owner.keyboard.press("j");
    await owner.keyboard.press("k");
    await owner.keyboard.press("x");
    await owner.keyboard.press("r");
    await owner
      .getByRole("dialog", { name: /^Retry/ })
      .getByRole("button", { name: "Retry", exact: true })
      .click();
    await said(owner, "1 execution retried");
    // The retry fails as well: it is the third again.
    await expect(row(owner, "Executions", "Take orders")).toHaveCount(3);
  });

  test("many are chosen by the keyboard and dismissed, two are compared", async ({ owner, server }) => {
    const id = await server.importWorkflow(failing("Fails often", "often", "it fails often"));
    await activate(server, id);
    await call(server, id, "often", 4, "FAILED");
    await open(owner, server, `/executions?workflow=${id}&unresolved=true`);
    await expect(row(owner, "Executions", "Fails often")).toHaveCount(4);
    await owner.keyboard.press("j");
    await owner.keyboard.press("x");
    await owner.keyboard.press("j");
    await owner.keyboard.press("x");
    await owner.getByRole("toolbar").getByRole("button", { name: "Compare" }).click();
    await expect(owner).toHaveURL(/\/compare\?left=[0-9a-f-]{36}&right=[0-9a-f-]{36}$/);

    await open(owner, server, `/executions?workflow=${id}&unresolved=true`);
    await expect(row(owner, "Executions", "Fails often")).toHaveCount(4);
    await owner.keyboard.press("j");
    await owner.keyboard.press("x");
    await owner.keyboard.press("j");
    await owner.keyboard.press("j");
    await owner.keyboard.press("Shift+X");
    await expect(owner.getByRole("toolbar")).toContainText("3 chosen");
    await owner.keyboard.press("e");
    await owner.getByRole("dialog").getByRole("button", { name: "Dismiss 3" }).click();
    await said(owner, "3 executions dismissed");
    await expect(row(owner, "Executions", "Fails often")).toHaveCount(1);
  });

  test("details are beside the list, follow the keyboard, and are in the address", async ({ owner, server }) => {
    await open(owner, server, `/executions?workflow=${world.orders}`);
    await owner.keyboard.press("j");
    await owner.keyboard.press("i");
    const details = owner.getByRole("complementary", { name: "Details" });
    await expect(details).toContainText("the shop answered 502");
    await expect(details).toContainText("Refuse");
    await expect(owner).toHaveURL(/details=/);
    const first = owner.url();
    await owner.keyboard.press("j");
    await expect(owner).not.toHaveURL(first);
    await owner.goto(first);
    await expect(details).toContainText("Take orders");
    await owner.keyboard.press("Escape");
    await expect(details).toBeHidden();
  });

  test("a text is found in payloads by /, and leads to the event", async ({ owner, server }) => {
    await open(owner, server, "/executions");
    await owner.keyboard.press("/");
    await owner.keyboard.type("orders-1");
    await owner.keyboard.press("Enter");
    await expect(owner).toHaveURL(/query=orders-1/);
    const hit = row(owner, "Found in payloads", "orders-1").first();
    await expect(hit.locator("mark").first()).toHaveText("orders-1");
    await hit.getByRole("link", { name: /^Execution/ }).click();
    await expect(owner).toHaveURL(/\/executions\/[0-9a-f-]{36}\?position=\d+$/);
    await open(owner, server, `/executions?query=${encodeURIComponent(`${ODD} in no payload`)}`);
    await expect(owner.getByRole("heading", { name: "It is in no payload" })).toBeVisible();
  });

  test("a filter is saved and taken again", async ({ owner, server }) => {
    await open(owner, server, `/executions?status=FAILED&workflow=${world.orders}`);
    await owner.getByRole("button", { name: /^Saved( \(|$)/ }).click();
    await owner.getByRole("menuitem", { name: "Save this filter…" }).click();
    const dialog = owner.getByRole("dialog", { name: "Save this filter" });
    await dialog.getByLabel("Name").fill(ODD);
    await dialog.getByRole("button", { name: "Save" }).click();
    await open(owner, server, "/executions");
    await owner.getByRole("button", { name: /^Saved( \(|$)/ }).click();
    await owner.getByRole("menuitem", { name: ODD }).click();
    await expect(owner).toHaveURL(new RegExp(`status=FAILED&workflow=${world.orders}`));
  });
});

test("every page is accessible in both themes, filled, and on a phone", async ({ owner, server }) => {
  test.setTimeout(240_000);
  const { executions } = await server.ask<{ executions: { nodes: { id: string }[] } }>(
    "query($id: UUID!) { executions(workflowId: $id, first: 1) { nodes { id } } }",
    { id: world.orders },
  );
  const paths = [
    "/",
    "/workflows",
    "/workflows?open=new",
    `/workflows/${world.versions}/versions`,
    `/workflows/${world.versions}/versions?left=1&right=2`,
    `/workflows/${world.versions}/versions?show=definition`,
    `/executions?details=${executions.nodes[0]?.id ?? ""}`,
    "/executions?fact=order&value=7&status=FAILED",
    "/executions?group=cause&unresolved=true",
    "/executions?group=workflow",
    "/executions?query=orders-1",
  ];
  for (const theme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme: theme });
    for (const path of paths) {
      await open(owner, server, path);
      await expect(owner.locator("html")).toHaveAttribute("data-theme", theme);
      await expectAccessible(owner);
    }
  }
  await owner.setViewportSize({ width: 375, height: 780 });
  for (const path of paths) {
    await open(owner, server, path);
    await expectAccessible(owner);
    const wide = await owner.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(wide, `${path} is wider than a phone`).toBeLessThanOrEqual(0);
  }
});

function file(name: string, text: string) {
  return { name, mimeType: "application/json", buffer: Buffer.from(text) };
}
