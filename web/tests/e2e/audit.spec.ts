import { readFile } from "node:fs/promises";
import type { Browser, Page } from "@playwright/test";
import type { Server } from "../support/server";
import { LOOK_MS, expect, expectAccessible, test, watch } from "../support/test";
import { smallWorkflow } from "../support/workflows";

const EVIL = '<img src=x onerror="document.title=1">';
let workflowId: string;
let executionId: string;

interface Position {
  position: string;
}

async function headOf(server: Server): Promise<string> {
  return (await server.ask<{ head: Position }>("{ head { position } }")).head.position;
}

test.beforeAll(async ({ server }) => {
  workflowId = await server.importWorkflow(smallWorkflow(EVIL));
  executionId = await server.execute(workflowId);
  const { createAccount } = await server.ask<{ createAccount: Position & { errors: unknown[] } }>(
    'mutation($name: String!) { createAccount(input: { kind: USER, name: $name, email: "evil@example.org", roles: [VIEWER], reason: "seeded <b>so</b>" }) { position errors { message } } }',
    { name: EVIL },
  );
  expect(createAccount.errors).toEqual([]);
  await server.settled(createAccount.position);
});

test.describe("events", () => {
  test("are listed newest first, come by themselves, and wait while somebody paused", async ({ owner, server }) => {
    await owner.goto(`${server.url}/events?category=execution`);
    const list = owner.getByRole("grid", { name: "Events" });
    await expect(list.getByRole("row").nth(1)).toContainText("ExecutionCompleted");
    await expect(owner.getByText("Live", { exact: true })).toBeVisible();
    const count = () => list.getByText("ExecutionCompleted").count();
    const had = await count();
    await server.execute(workflowId);
    await expect.poll(count).toBe(had + 1);
    await owner.keyboard.press(".");
    await expect(owner.getByText("Paused: what happens now waits")).toBeVisible();
    await server.execute(workflowId);
    expect(await count()).toBe(had + 1);
    await owner.keyboard.press(".");
    await expect.poll(count).toBe(had + 2);
  });

  test("are found by a text in their payloads, and the address says which", async ({ owner, server }) => {
    await owner.goto(`${server.url}/events`);
    const list = owner.getByRole("grid", { name: "Events" });
    await expect(list).toContainText("ExecutionCompleted");
    await owner.keyboard.press("/");
    await owner.keyboard.type("onerror");
    await expect(owner).toHaveURL(/query=onerror/);
    await expect(list).toContainText("AccountCreated");
    await expect(list).not.toContainText("NodeCompleted");
    await expect(owner.getByText(/found in \d+ events, all there are/)).toBeVisible();
    await owner.getByRole("searchbox", { name: "Text in payloads" }).fill("nothing has this in it");
    await expect(owner.getByRole("heading", { name: "No event passes the filters" })).toBeVisible();
    await owner.getByRole("button", { name: "Take the filters away" }).click();
    await expect(list).toContainText("ExecutionCompleted");
  });

  test("one is told with its payload, its state before and after, and its story", async ({ owner, server }) => {
    await owner.goto(`${server.url}/events?stream=execution/${executionId}`);
    await owner.getByRole("grid", { name: "Events" }).getByText("ExecutionCompleted").click();
    await expect(owner).toHaveURL(/position=\d+/);
    await expect(owner.getByRole("heading", { level: 2, name: "ExecutionCompleted" })).toBeVisible();
    await expect(owner.getByRole("tree", { name: "the payload" })).toContainText("execution_completed");
    await owner.keyboard.press("2");
    await expect(owner.getByRole("list", { name: "What the event changed" })).toContainText("/status");
    await owner.getByRole("button", { name: "Before", exact: true }).click();
    await expect(owner.getByRole("tree", { name: "the state before" })).toContainText("running");
    await owner.getByRole("tab", { name: "Story" }).click();
    const led = owner.getByRole("button", { name: /^ExecutionStarted/ });
    await expect(led).toBeVisible();
    await led.click();
    await expect(owner.getByRole("heading", { level: 2, name: "ExecutionStarted" })).toBeVisible();
    await expect(owner.getByRole("button", { name: /NodeCompleted.*caused by it/ }).first()).toBeVisible();
    await owner.getByRole("button", { name: "The event after it in its stream" }).click();
    await expect(owner.getByRole("heading", { level: 2, name: /^Node/ })).toBeVisible();
    await owner.keyboard.press("Escape");
    await expect(owner).not.toHaveURL(/position=/);
  });

  test("a place in the past is gone to by its position, and the list grows at both ends", async ({ owner, server }) => {
    await owner.goto(`${server.url}/events?position=2`);
    await expect(owner.getByRole("heading", { level: 2, name: "RoleGranted" })).toBeVisible();
    const list = owner.getByRole("grid", { name: "Events" });
    await expect(list.locator('[aria-selected="true"]')).toContainText("RoleGranted");
    await owner.keyboard.press("n");
    await expect(owner).not.toHaveURL(/position=/);
    await owner.keyboard.press("p");
    const dialog = owner.getByRole("dialog", { name: "Go to a place in the log" });
    await dialog.getByLabel("Position").fill("x1");
    await dialog.getByRole("button", { name: "Go there" }).click();
    await expect(dialog.getByRole("alert")).toContainText("whole number");
    await dialog.getByLabel("Position").fill("#1");
    await dialog.getByRole("button", { name: "Go there" }).click();
    await expect(owner.getByRole("heading", { level: 2, name: "AccountCreated" })).toBeVisible();
    await expect(list).toContainText("ExecutionCompleted");
    await owner.goto(`${server.url}/events?position=99999999`);
    await expect(owner.getByRole("heading", { name: "Nothing to see at #99999999" })).toBeVisible();
  });

  test("are written into a file, all of them, in both forms", async ({ owner, server }) => {
    await owner.goto(`${server.url}/events?stream=execution/${executionId}`);
    await expect(owner.getByRole("grid", { name: "Events" })).toContainText("ExecutionStarted");
    const { events } = await server.ask<{ events: { nodes: (Position & { type: string })[] } }>(
      'query($id: ID!) { events(first: 100, filter: { stream: { category: "execution", id: $id } }) { nodes { position type } } }',
      { id: executionId },
    );
    const lines = (await exported(owner, "JSON Lines"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Position);
    expect(lines.map((line) => line.position)).toEqual(events.nodes.map((event) => event.position));
    expect(lines[0]).toMatchObject({
      type: "ExecutionStarted",
      category: "execution",
      payload: { type: "execution_started" },
    });
    const csv = await exported(owner, "CSV");
    expect(csv.split("\r\n")[0]).toMatch(/^position,recordedAt,category/);
    expect(csv.split("\r\n")).toHaveLength(events.nodes.length + 2);
  });
});

/** Writes what a page shows into a file, and answers what is in it. */
async function exported(page: Page, format: string): Promise<string> {
  await page.getByRole("button", { name: "Export" }).click();
  const dialog = page.getByRole("dialog");
  const label = await dialog.getByRole("option", { name: format }).textContent();
  await dialog.getByLabel("Format").selectOption({ label: label ?? format });
  const coming = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Write the file" }).click();
  const text = await readFile(await (await coming).path(), "utf8");
  await expect(dialog.getByRole("status")).toContainText("written");
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  return text;
}

test.describe("the audit trail", () => {
  test("says who did what and why in words, and keeps what they wrote as text", async ({ owner, server }) => {
    await owner.goto(`${server.url}/audit`);
    const trail = owner.getByRole("grid", { name: "Audit trail" });
    await expect(trail).toContainText(`Owner gave ${EVIL} the role viewer`);
    await expect(trail).toContainText(`Owner made the workflow ${EVIL}`);
    await expect(trail).toContainText("seeded <b>so</b>");
    await expect(trail).toContainText("signed in by password from 127.0.0.1");
    await expect(trail.locator("img, b")).toHaveCount(0);
    await trail.getByText("the role viewer").click();
    const dialog = owner.getByRole("dialog", { name: "Who did what" });
    await expect(dialog).toContainText("key tests");
    await dialog.getByRole("link", { name: "before and after it" }).click();
    await expect(owner).toHaveURL(/\/events\?position=\d+&tab=state/);
    await expect(owner.getByRole("list", { name: "What the event changed" })).toContainText("/roles/0");
  });

  test("proves an event in the browser, and finds out a server that shows another one", async ({ owner, server }) => {
    const position = await headOf(server);
    await owner.goto(`${server.url}/audit?position=${position}`);
    const dialog = owner.getByRole("dialog", { name: "Who did what" });
    await expect(async () => {
      const again = dialog.getByRole("button", { name: "Try again" });
      if (await again.isVisible()) await again.click();
      await expect(dialog).toContainText("Proved by this browser", { timeout: 3_000 });
    }).toPass();
    await expect(dialog).toContainText("keeps this one");
    await owner.reload();
    await expect(dialog).toContainText("It is the same history as when this browser saw");
    // Somebody between, or the server itself, changes the event.
    await owner.route("**/graphql", async (route) => {
      const response = await route.fetch();
      const text = await response.text();
      await route.fulfill({ response, body: text.replace(/("payload":"\{)/, '$1\\"forged\\":1,') });
    });
    await owner.reload();
    await expect(dialog.getByRole("alert")).toContainText("Not proved: the event is not the one that was recorded");
    await owner.unroute("**/graphql");
  });

  test("is narrowed down to what somebody did, to a kind, and to a moment", async ({ owner, server }) => {
    await owner.goto(`${server.url}/audit?group=reads`);
    const trail = owner.getByRole("grid", { name: "Audit trail" });
    await expect(trail).toContainText("read events");
    await expect(trail).not.toContainText("signed in");
    await owner.getByRole("combobox", { name: "What" }).selectOption("access");
    await expect(trail).toContainText("made the user account");
    await owner.getByRole("textbox", { name: "As of" }).fill("#4");
    await owner.keyboard.press("Enter");
    await expect(owner).toHaveURL(/at=4/);
    await expect(trail).not.toContainText("evil@example.org");
    await owner.getByRole("textbox", { name: "As of" }).fill("yesterday-ish");
    await owner.keyboard.press("Enter");
    await expect(owner.getByRole("alert")).toContainText("A time such as");
    await owner.goto(`${server.url}/audit?actor=system:scheduler`);
    await expect(owner.getByRole("heading", { name: "Nothing of that is in the log" })).toBeVisible();
  });

  test("reviews who could do what on a day, and because of what", async ({ owner, server }) => {
    await owner.goto(`${server.url}/audit?view=access`);
    const review = owner.getByRole("grid", { name: "Access review" });
    await expect(review).toContainText(EVIL);
    await owner.getByRole("combobox", { name: "Permission" }).selectOption("CREDENTIAL_WRITE");
    await expect(review).toContainText("owner@localhost");
    await expect(review).not.toContainText("evil@example.org");
    await review.getByText("owner@localhost").click();
    await expect(owner.getByRole("region", { name: "Keys that could be used" })).toContainText("tests");
    await owner.keyboard.press("Escape");
    await owner.goto(`${server.url}/audit?view=access&at=2020-01-01`);
    await expect(owner.getByRole("heading", { name: "There was nobody" })).toBeVisible();
  });

  test("is written into a file with names in it", async ({ owner, server }) => {
    await owner.goto(`${server.url}/audit?group=access`);
    await expect(owner.getByRole("grid", { name: "Audit trail" })).toContainText("the role viewer");
    const csv = await exported(owner, "CSV");
    expect(csv).toContain(`"gave ${EVIL.replaceAll('"', '""')} the role viewer"`);
  });
});

test.describe("admin", () => {
  test("an account is made, given a role, let in by a link, and disabled, each with a reason", async ({
    owner,
    server,
    browser,
  }) => {
    await owner.goto(`${server.url}/admin/accounts`);
    await owner.getByRole("button", { name: "New account" }).click();
    let dialog = owner.getByRole("dialog", { name: "New account" });
    await dialog.getByLabel("Name", { exact: true }).fill("Ada");
    await dialog.getByLabel("E-mail address").fill("ada@example.org");
    await expect(dialog.getByRole("button", { name: "Make the account" })).toBeDisabled();
    await dialog.getByLabel("Why").fill("joins the team");
    await dialog.getByRole("button", { name: "Make the account" }).click();
    const pane = owner.getByRole("region", { name: "Account", exact: true });
    await expect(pane.getByRole("heading", { name: "Ada" })).toBeVisible();
    await pane.getByRole("button", { name: "Give a role" }).click();
    dialog = owner.getByRole("dialog", { name: "Give Ada a role" });
    await dialog.getByLabel("Role").selectOption("EDITOR");
    await dialog.getByLabel("Why").fill("builds workflows");
    await dialog.getByRole("button", { name: "Give the role" }).click();
    await expect(pane.getByRole("region", { name: "Roles" })).toContainText("editor");
    await expect(pane.getByRole("region", { name: "Roles" })).toContainText("builds workflows");

    await pane.getByRole("button", { name: "Change the account" }).click();
    await owner.getByRole("menuitem", { name: "Make a sign-in link" }).click();
    dialog = owner.getByRole("dialog");
    await dialog.getByLabel("Why").fill("first day");
    await dialog.getByRole("button", { name: "Make the link" }).click();
    const link = await owner.getByRole("region", { name: "A link for Ada" }).textContent();
    await owner.getByRole("button", { name: "I have it" }).click();
    await letsIn(browser, link ?? "", "Ada");

    await pane.getByRole("button", { name: "Change the account" }).click();
    await owner.getByRole("menuitem", { name: "Disable" }).click();
    dialog = owner.getByRole("dialog", { name: "Disable Ada" });
    await expect(dialog.getByRole("button", { name: "Disable the account" })).toBeDisabled();
    await dialog.getByLabel("Why").fill("has left");
    await dialog.getByRole("button", { name: "Disable the account" }).click();
    await expect(pane.getByText("disabled", { exact: true })).toBeVisible();
  });

  test("a name that is taken is refused where it was typed", async ({ owner, server }) => {
    await owner.goto(`${server.url}/admin/accounts`);
    await owner.getByRole("button", { name: "New account" }).click();
    const dialog = owner.getByRole("dialog", { name: "New account" });
    await dialog.getByLabel("Name", { exact: true }).fill("Another");
    await dialog.getByLabel("E-mail address").fill("evil@example.org");
    await dialog.getByLabel("Why").fill("test");
    await dialog.getByRole("button", { name: "Make the account" }).click();
    await expect(dialog.getByRole("alert")).toBeVisible();
    await expect(dialog.getByLabel("E-mail address")).toHaveValue("evil@example.org");
  });

  test("a key is shown once, lets in, and does not once it is revoked", async ({ owner, server }) => {
    await owner.goto(`${server.url}/admin/keys`);
    await owner.getByRole("button", { name: "New key" }).first().click();
    const dialog = owner.getByRole("dialog", { name: "New key" });
    await dialog.getByLabel("What it is for").fill("deploys");
    await dialog.getByLabel("only these").check();
    await dialog.getByLabel("workflow:read").check();
    await dialog.getByRole("button", { name: "Make the key" }).click();
    const token = await owner.getByRole("region", { name: "The key deploys" }).textContent();
    const ask = () =>
      fetch(`${server.url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token ?? ""}` },
        body: JSON.stringify({ query: "{ viewer { permissions } }" }),
      });
    expect(await (await ask()).json()).toMatchObject({ data: { viewer: { permissions: ["WORKFLOW_READ"] } } });
    await owner.getByRole("button", { name: "I have it" }).click();
    const list = owner.getByRole("grid", { name: "Keys" });
    await expect(list).toContainText("deploys");
    await expect(list).not.toContainText(token ?? "");
    await list.getByRole("button", { name: "Revoke deploys" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "Revoke the key" }).click();
    await expect(list).not.toContainText("deploys");
    expect((await ask()).status).toBe(401);
  });

  test("a credential is saved by its type's fields, never shown, and deleted with a reason that the log keeps", async ({
    owner,
    server,
  }) => {
    const secret = "a secret of the test 42";
    await owner.goto(`${server.url}/admin/credentials`);
    await owner.getByRole("button", { name: "New credential" }).first().click();
    const dialog = owner.getByRole("dialog", { name: "New credential" });
    await dialog.getByLabel("Name", { exact: true }).fill(EVIL);
    await dialog.getByLabel("user", { exact: true }).fill("ann");
    await expect(dialog.getByRole("button", { name: "Save and seal" })).toBeDisabled();
    await dialog.getByLabel("password", { exact: true }).fill(secret);
    await dialog.getByRole("button", { name: "Save and seal" }).click();
    const list = owner.getByRole("grid", { name: "Credentials" });
    await expect(list).toContainText(EVIL);
    await expect(list).toContainText("password, user");
    expect(await owner.content()).not.toContain(secret);
    await list.getByRole("button", { name: /^Change / }).click();
    await owner.getByRole("menuitem", { name: "Delete" }).click();
    const confirm = owner.getByRole("dialog", { name: /^Delete the credential/ });
    await confirm.getByLabel(/^Why/).fill("nicht mehr nötig");
    await confirm.getByRole("button", { name: "Delete the credential" }).click();
    await expect(owner.getByRole("heading", { name: "No credentials" })).toBeVisible();
    await owner.goto(`${server.url}/audit?group=credentials`);
    await expect(owner.getByRole("grid", { name: "Audit trail" })).toContainText(`deleted the credential ${EVIL}`);
    await expect(owner.getByRole("grid", { name: "Audit trail" })).toContainText("nicht mehr nötig");
  });

  test("projections are rebuilt, tenants made and suspended, and the system says how it is", async ({
    owner,
    server,
  }) => {
    await owner.goto(`${server.url}/admin/projections`);
    await owner.getByRole("button", { name: "Rebuild workflows" }).click();
    await owner.getByRole("dialog").getByRole("button", { name: "Rebuild" }).click();
    await expect(owner.getByText("The rebuild has begun", { exact: true })).toBeVisible();
    await expect(
      owner.getByRole("region", { name: "Projections" }).getByRole("row", { name: /^workflows up to date/ }),
    ).toBeVisible();
    await owner.goto(`${server.url}/admin/tenants`);
    await owner.getByRole("button", { name: "New tenant" }).click();
    await owner.getByRole("dialog").getByLabel("Name").fill("Customers of Berlin");
    await owner.getByRole("dialog").getByLabel("Why").fill("new contract");
    await owner.getByRole("dialog").getByRole("button", { name: "Make it" }).click();
    const list = owner.getByRole("grid", { name: "Tenants" });
    await list.getByRole("button", { name: "Change Customers of Berlin" }).click();
    await owner.getByRole("menuitem", { name: "Suspend" }).click();
    await owner.getByRole("dialog").getByLabel("Why").fill("contract ended");
    await owner.getByRole("dialog").getByRole("button", { name: "Suspend the tenant" }).click();
    await expect(list).toContainText("suspended");
    await owner.goto(`${server.url}/admin/system`);
    await expect(owner.getByText("ready", { exact: true })).toBeVisible();
    await expect(owner.getByText(/^\d+\.\d+\.\d+/).first()).toBeVisible();
    await owner.goto(`${server.url}/admin/nothing`);
    await expect(owner.getByRole("heading", { name: "There is no such section" })).toBeVisible();
  });

  test("who may not see a thing is told what it takes, and sees what is theirs", async ({ server, browser }) => {
    const { accounts } = await server.ask<{ accounts: { nodes: { id: string; email: string }[] } }>(
      "{ accounts(first: 100) { nodes { id email } } }",
    );
    const id = accounts.nodes.find((one) => one.email === "evil@example.org")?.id;
    const { makeSignInLink } = await server.ask<{ makeSignInLink: { token: string } }>(
      'mutation($id: UUID!) { makeSignInLink(input: { accountId: $id, reason: "test" }) { token } }',
      { id },
    );
    const page = await browser.newPage();
    const problems = watch(page);
    await page.goto(`${server.url}/sign-in/link?token=${makeSignInLink.token}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.goto(`${server.url}/admin/accounts`);
    await expect(page.getByText("It needs the permission account:read")).toBeVisible();
    await page.goto(`${server.url}/audit`);
    await expect(page.getByText("It needs the permission audit:read")).toBeVisible();
    await page.goto(`${server.url}/admin/sessions`);
    await expect(page.getByRole("grid", { name: "Sessions" })).toContainText("this browser");
    await page.goto(`${server.url}/events`);
    await expect(page.getByRole("grid", { name: "Events" })).toContainText("ExecutionCompleted");
    await expect(page.getByRole("grid", { name: "Events" })).not.toContainText("RoleGranted");
    expect(problems).toEqual([]);
    await page.close();
  });
});

async function letsIn(browser: Browser, link: string, name: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Not now" }).click();
  await expect(page.getByRole("button", { name: `Account: ${name}` })).toBeVisible();
  await page.close();
}

test("the API explorer runs requests here, says what is wrong with them, and follows", async ({ owner, server }) => {
  await owner.goto(`${server.url}/api?example=workflows`);
  await owner.getByRole("button", { name: "Run" }).click();
  await expect(owner.getByRole("tree", { name: "the answer" })).toContainText("onerror");
  await owner.getByLabel("Variables").fill("{");
  await owner.getByRole("button", { name: "Run" }).click();
  await expect(owner.getByRole("alert")).toContainText("no JSON");
  await owner.getByLabel("Variables").fill("{}");
  await owner.getByRole("textbox", { name: "Request" }).fill("{ nothingLikeThis }");
  await owner.keyboard.press("Control+Enter");
  await expect(owner.getByText("200, with errors")).toBeVisible();
  await owner.goto(`${server.url}/api?example=follow`);
  await owner.getByRole("button", { name: "Follow", exact: true }).click();
  await expect(owner.getByText("Nothing has happened yet")).toBeVisible();
  // A subscription is set up a moment after it is asked for: runs are started until one of them is told.
  await expect(async () => {
    await server.execute(workflowId);
    await expect(owner.getByRole("tree", { name: "the answers" })).toContainText("COMPLETED", { timeout: 1_000 });
  }).toPass();
  await owner.getByRole("button", { name: "Stop" }).click();
  await expect(owner.getByText("ended", { exact: true })).toBeVisible();
});

const FILLED = [
  "/events",
  "/events?position=2",
  "/events?position=2&tab=state",
  "/events?position=2&tab=story",
  "/events?query=onerror",
  "/audit",
  "/audit?view=access",
  "/admin/accounts",
  "/admin/keys",
  "/admin/sessions",
  "/admin/credentials",
  "/admin/tenants",
  "/admin/flags",
  "/admin/projections",
  "/admin/archive",
  "/admin/triggers",
  "/admin/workers",
  "/admin/system",
  "/admin/browser",
  "/api",
];

for (const theme of ["light", "dark"] as const)
  for (const [device, width] of [
    ["a desktop", 1280],
    ["a phone", 375],
  ] as const)
    test(`every page is accessible when it is filled, ${theme}, on ${device}`, async ({ owner, server }) => {
      test.setTimeout((FILLED.length + 2) * LOOK_MS);
      await owner.emulateMedia({ colorScheme: theme });
      await owner.setViewportSize({ width, height: 800 });
      for (const path of FILLED) {
        await owner.goto(server.url + path);
        await expect(owner.getByRole("heading", { level: 1 })).toBeVisible();
        await expect(owner.locator("[aria-busy=true], .animate-pulse")).toHaveCount(0);
        await expectAccessible(owner);
        const over = await owner.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(over, `${path} is wider than the window`).toBeLessThanOrEqual(0);
      }
      await owner.goto(`${server.url}/admin/keys`);
      await owner.getByRole("button", { name: "New key" }).first().click();
      await expectAccessible(owner);
      await owner.goto(`${server.url}/audit?position=2`);
      await expect(owner.getByRole("dialog")).toContainText("RoleGranted");
      await expectAccessible(owner);
    });

test("a log without events that pass says so, and positions that are none do nothing", async ({ owner, server }) => {
  await owner.goto(`${server.url}/events?position=abc&category=${encodeURIComponent(EVIL)}`);
  await expect(owner.getByRole("heading", { name: "No event passes the filters" })).toBeVisible();
  await expect(owner).toHaveTitle(/^Events · Timeloom$/);
  expect(BigInt(await headOf(server))).toBeGreaterThan(0n);
});
