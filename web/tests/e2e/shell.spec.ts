import { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";
import { smallWorkflow } from "../support/workflows";

const PLACES = [
  ["Home", "/"],
  ["Workflows", "/workflows"],
  ["Executions", "/executions"],
  ["Data tables", "/data-tables"],
  ["Agents", "/agents"],
  ["Models", "/models"],
  ["Evaluation sets", "/evaluation-sets"],
  ["Gateway", "/gateway"],
  ["Events", "/events"],
  ["Audit", "/audit"],
  ["Admin", "/admin/accounts"],
  ["API explorer", "/api"],
] as const;

test.beforeAll(async ({ server }) => {
  await server.execute(await server.importWorkflow(smallWorkflow("Seen by everybody")));
});

test("the navigation leads to every page", async ({ owner }) => {
  const pages = owner.getByRole("navigation", { name: "Pages", exact: true });
  for (const [name, path] of PLACES) {
    await pages.getByRole("link", { name, exact: true }).click();
    await expect(owner).toHaveURL(new RegExp(`${path.replace("/", "\\/")}$`));
    await expect(owner.getByRole("heading", { level: 1 })).toHaveText(name);
    await expect(owner).toHaveTitle(/Timeloom$/);
  }
});

test("an address within the app can be loaded directly, and a wrong one says so", async ({ owner, server }) => {
  await owner.goto(`${server.url}/executions?status=COMPLETED`);
  await expect(owner.getByRole("grid", { name: "Executions" })).toContainText("Seen by everybody");
  await owner.goto(`${server.url}/executions?status=CANCELLED`);
  await expect(owner.getByRole("heading", { name: "None has this status" })).toBeVisible();
  await owner.goto(`${server.url}/workflows/of/nobody/at/all`);
  await expect(owner.getByRole("heading", { name: "There is no such page" })).toBeVisible();
});

test("the keyboard finds a workflow, goes to pages, and shows its keys", async ({ owner }) => {
  await expect(owner.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
  await owner.keyboard.press("g");
  await owner.keyboard.press("e");
  await expect(owner.getByRole("heading", { level: 1, name: "Executions" })).toBeVisible();
  await owner.keyboard.press("?");
  const keys = owner.getByRole("dialog", { name: "Keys" });
  await expect(keys).toContainText("go to Workflows");
  await owner.keyboard.press("Escape");
  await expect(keys).toBeHidden();
  await owner.keyboard.press("Control+k");
  await owner.getByRole("dialog").getByRole("combobox").fill("Seen by");
  await owner.getByRole("option", { name: /^Seen by everybody$/ }).click();
  await expect(owner).toHaveURL(/\/workflows\/[0-9a-f-]{36}$/);
});

test("a palette that cannot be loaded says what to do, keeps what was written, and is loaded when it can be", async ({
  server,
  browser,
}) => {
  const page = await (await browser.newContext({ serviceWorkers: "block" })).newPage();
  await server.signIn(page);
  await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
  const chunk = /\/assets\/OpenPalette-[^/]*\.js$/;
  let asked = 0;
  await page.route(chunk, (route) => {
    asked += 1;
    return route.abort();
  });
  await page.keyboard.press("Control+k");
  const dialog = page.getByRole("dialog", { name: "Find or do something" });
  await expect(dialog.getByRole("alert")).toContainText("The palette could not be loaded");
  await expect(dialog.getByRole("alert")).toContainText("the server gave no answer, or was updated meanwhile");
  await expect(dialog.getByRole("button", { name: "Load the page anew" })).toBeVisible();
  await dialog.getByRole("textbox", { name: "Find or do something" }).fill("Seen by");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => asked).toBe(2);
  await expect(dialog.getByRole("alert")).toBeVisible();
  await page.unroute(chunk);
  await dialog.getByRole("button", { name: "Try again" }).click();
  await expect(dialog.getByRole("combobox")).toHaveValue("Seen by");
  await expect(dialog.getByRole("option", { name: /^Seen by everybody$/ })).toBeVisible();
  await page.context().close();
});

test("the palette is accessible in both themes", async ({ owner }) => {
  for (const theme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme: theme });
    await expect(owner.locator("html")).toHaveAttribute("data-theme", theme);
    await owner.keyboard.press("Control+k");
    await expect(owner.getByRole("dialog").getByRole("combobox")).toBeVisible();
    await expectAccessible(owner);
    await owner.keyboard.press("Escape");
  }
});

test("a theme that was chosen stays", async ({ owner }) => {
  await owner.emulateMedia({ colorScheme: "light" });
  await owner.getByRole("button", { name: /^Account/ }).click();
  await owner.getByRole("menuitem", { name: "Theme: dark" }).click();
  await expect(owner.locator("html")).toHaveAttribute("data-theme", "dark");
  await owner.reload();
  await expect(owner.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("on a phone the pages are in a menu", async ({ owner }) => {
  await owner.setViewportSize({ width: 390, height: 800 });
  await owner.getByRole("button", { name: "Menu" }).click();
  await owner.getByRole("dialog", { name: "Menu" }).getByRole("link", { name: "Models" }).click();
  await expect(owner.getByRole("heading", { level: 1, name: "Models" })).toBeVisible();
  await expectAccessible(owner);
});

test("a newcomer signs in by the link and comes to the app", async ({ browser }) => {
  const server = await Server.startNew();
  const page = await browser.newPage();
  const problems = watch(page);
  await page.goto(`${server.url}/workflows`);
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fworkflows|\/sign-in\?next=\/workflows/);
  await page.goto(server.link());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Not now" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
  await page.goto(`${server.url}/workflows`);
  await expect(page.getByRole("heading", { name: "No workflows yet" })).toBeVisible();
  expect(problems).toEqual([]);
  await page.close();
  await server.stop();
});

test("a server that was killed is said to be lost, and what happened after its return comes by itself", async ({
  browser,
}) => {
  const server = await Server.start();
  const page = await browser.newPage();
  await server.signIn(page, "/executions");
  await expect(page.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
  await server.kill();
  await expect(page.getByText("The connection to the server is lost")).toBeVisible();
  await server.restart();
  await expect(page.getByText("The connection to the server is lost")).toBeHidden({ timeout: 40_000 });
  await server.execute(await server.importWorkflow(smallWorkflow("After the return")));
  await expect(page.getByRole("grid", { name: "Executions" })).toContainText("After the return");
  await page.close();
  await server.stop();
});
