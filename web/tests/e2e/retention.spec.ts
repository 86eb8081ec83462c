import type { Page } from "@playwright/test";
import { newcomer } from "../support/people";
import { grid, row } from "../support/lists";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

function pane(page: Page) {
  return page.getByRole("region", { name: "Retention", exact: true });
}

function holds(page: Page) {
  return pane(page).getByRole("region", { name: "Holds" });
}

function dialog(page: Page) {
  return page.getByRole("dialog");
}

/** What a press of the last button of an open form does. */
async function submit(page: Page, name: string): Promise<void> {
  await dialog(page).getByRole("button", { name, exact: true }).click();
  await expect(dialog(page)).toHaveCount(0);
}

test("one user asks for less time, another one approves, a hold keeps all of it, and more time takes one", async ({
  owner,
  server,
  browser,
}) => {
  test.setTimeout(180_000);
  await owner.goto(`${server.url}/admin/retention`);
  await expect(owner).toHaveTitle("Retention · Admin · Timeloom");
  await expect(owner.getByRole("heading", { name: "Everything is kept for ever" })).toBeVisible();
  await expect(grid(owner, "Retention").getByRole("row")).toHaveCount(5);
  await expectAccessible(owner);

  await test.step("what cannot be is not taken, and what it comes to is told before it is asked for", async () => {
    await row(owner, "Retention", "Executions").focus();
    await owner.keyboard.press("Enter");
    await expect(owner).toHaveURL(/\/admin\/retention\?category=execution$/);
    await expect(pane(owner)).toContainText("Nothing goes by itself");
    await pane(owner).getByRole("button", { name: "Keep for another time…" }).click();
    await dialog(owner).getByLabel("Why").fill("our privacy policy");
    const ask = dialog(owner).getByRole("button", { name: "Ask for it" });
    for (const wrong of ["0", "36526", "ten"]) {
      await dialog(owner).getByLabel("Days").fill(wrong);
      await expect(dialog(owner).getByLabel("Days")).toHaveAttribute("aria-invalid", "true");
      await expect(ask).toHaveCount(0);
    }
    await dialog(owner).getByLabel("Days").fill("30");
    await expect(dialog(owner)).toContainText("Another user has to approve it");
    await expect(dialog(owner).getByRole("group", { name: "What goes" })).toContainText("Nothing is old enough yet");
    await expectAccessible(owner);
    await submit(owner, "Ask for it");
  });

  await test.step("whoever asked cannot approve it, and places a hold", async () => {
    const request = pane(owner).getByRole("region", { name: "Request" });
    await expect(request).toContainText("Asked for: 30 days");
    await expect(request).toContainText("You asked for it: another user has to approve it");
    await expect(request.getByRole("button", { name: "Approve…" })).toHaveCount(0);
    await holds(owner).getByRole("button", { name: "Place a hold…" }).click();
    await dialog(owner).getByLabel("Name of the hold").fill("case 7");
    await dialog(owner).getByLabel("Why").fill("court order");
    await submit(owner, "Place the hold");
    await expect(holds(owner)).toContainText("case 7");
    await expectAccessible(owner);
  });

  const ben = await newcomer(server, browser, "Ben", "ADMIN");
  await test.step("another one sees who asked, when and why, and approves", async () => {
    await ben.page.goto(`${server.url}/admin/retention`);
    await expect(row(ben.page, "Retention", "Executions")).toContainText("to be approved");
    await row(ben.page, "Retention", "Executions").click();
    const request = pane(ben.page).getByRole("region", { name: "Request" });
    await expect(request).toContainText("Another user asked for it");
    await expect(request.getByText("Owner", { exact: true })).toBeVisible();
    await expect(request.getByText("our privacy policy", { exact: true })).toBeVisible();
    await expect(request.locator("time")).toHaveAttribute("title", /./);
    await request.getByRole("button", { name: "Approve…" }).click();
    await expect(dialog(ben.page)).toContainText("They are kept for ever now");
    await submit(ben.page, "Approve it");
    // What he approved shows at hers by itself.
    for (const page of [ben.page, owner]) {
      await expect(pane(page).getByText("for 30 days", { exact: true })).toBeVisible();
      await expect(pane(page).getByText("on hold", { exact: true })).toBeVisible();
    }
    await expect(pane(owner).getByRole("region", { name: "What was decided" })).toContainText(
      "Ben let executions be kept for 30 days: our privacy policy",
    );
  });

  await test.step("the release is asked for by one and approved by the other", async () => {
    await holds(ben.page).getByRole("button", { name: "Release…" }).click();
    await dialog(ben.page).getByLabel("Why").fill("the case is closed");
    await submit(ben.page, "Ask for the release");
    await expect(holds(ben.page)).toContainText("You asked for its release: the case is closed");
    await expect(holds(ben.page).getByRole("button", { name: "Approve the release…" })).toHaveCount(0);
    await holds(owner).getByRole("button", { name: "Approve the release…" }).click();
    await submit(owner, "Approve the release");
    await expect(holds(owner)).toContainText("None is on it");
    await expect(pane(owner).getByText("goes by itself", { exact: true })).toBeVisible();
  });

  await test.step("more time counts at once", async () => {
    await pane(owner).getByRole("button", { name: "Keep for another time…" }).click();
    await dialog(owner).getByLabel("Keep them").selectOption("for ever");
    await expect(dialog(owner)).toContainText("It counts at once");
    await dialog(owner).getByLabel("Why").fill("an audit");
    await submit(owner, "Set it");
    await expect(pane(owner).getByText("kept for ever", { exact: true })).toBeVisible();
    await expect(pane(ben.page).getByText("kept for ever", { exact: true })).toBeVisible();
  });

  await test.step("the audit trail tells it in words", async () => {
    await owner.goto(`${server.url}/audit?group=data`);
    const trail = grid(owner, "Audit trail");
    await expect(trail).toContainText("Owner asked for executions to be kept for 30 days: our privacy policy");
    await expect(trail).toContainText("released the hold case 7 on all executions");
  });
  expect(ben.problems).toEqual([]);
  await ben.page.context().close();
});

test("a request is withdrawn, on a phone as well, and Escape closes the pane", async ({ owner, server }) => {
  await owner.setViewportSize({ width: 390, height: 800 });
  await owner.goto(`${server.url}/admin/retention`);
  await row(owner, "Retention", "Inferences").click();
  await pane(owner).getByRole("button", { name: "Keep for another time…" }).click();
  await dialog(owner).getByLabel("Days").fill("7");
  await dialog(owner).getByLabel("Why").fill("a try");
  await submit(owner, "Ask for it");
  await expectAccessible(owner);
  const wide = () => owner.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  expect(await wide(), "nothing is wider than the phone").toBe(false);
  await pane(owner).getByRole("button", { name: "Withdraw…" }).click();
  await dialog(owner).getByLabel("Why").fill("it was a try");
  await submit(owner, "Withdraw it");
  await expect(pane(owner)).toContainText("Nothing goes by itself");
  await expect(pane(owner).getByRole("region", { name: "What was decided" })).toContainText("withdrew the request");
  await owner.keyboard.press("Escape");
  await expect(pane(owner)).toHaveCount(0);
  await expect(row(owner, "Retention", "Inferences")).toContainText("kept for ever");
  expect(await wide(), "nothing is wider than the phone").toBe(false);
});

test("what cannot be read says so with the request's id, and is read when it is tried again", async ({
  owner,
  server,
}) => {
  await owner.route("**/graphql", async (route) => {
    if (!(route.request().postData() ?? "").includes("AdminRetentions")) return route.fallback();
    const errors = [{ message: "the log cannot be read", extensions: { code: "FAULT" } }];
    return route.fulfill({ json: { data: null, errors }, headers: { "x-request-id": "01a2-of-the-test" } });
  });
  await owner.goto(`${server.url}/admin/retention`);
  await expect(owner.getByRole("alert")).toContainText("the log cannot be read");
  await expect(owner.getByRole("alert")).toContainText("Request 01a2-of-the-test");
  await owner.unroute("**/graphql");
  await owner.getByRole("button", { name: "Try again" }).click();
  await expect(row(owner, "Retention", "Model calls")).toBeVisible();
});

test("executions are found by when they began, as the dry run links to them", async ({ owner, server }) => {
  await server.execute(await server.importWorkflow(smallWorkflow("Began today")));
  const day = 86_400_000;
  const at = (milliseconds: number) => new Date(milliseconds).toISOString();
  const now = Date.now();
  await owner.goto(`${server.url}/executions?order=newest&from=${at(now - day)}&to=${at(now + day)}`);
  await expect(row(owner, "Executions", "Began today")).toBeVisible();
  await owner.goto(`${server.url}/executions?order=newest&from=${at(now + day)}`);
  await expect(owner.getByRole("heading", { name: "None is so" })).toBeVisible();
  await owner.getByRole("button", { name: "Remove the condition Began from" }).click();
  await expect(row(owner, "Executions", "Began today")).toBeVisible();
  await owner.getByRole("button", { name: "Condition", exact: true }).click();
  await owner.getByRole("menuitem", { name: "When they began…" }).click();
  await dialog(owner).getByLabel("From").fill("2020-01-02T00:00:00");
  await dialog(owner).getByLabel("Before").fill("2020-01-01T00:00:00");
  await expect(dialog(owner).getByRole("alert")).toContainText("The end is not after the beginning");
  await dialog(owner).getByLabel("Before").fill("2020-01-03T00:00:00");
  await dialog(owner).getByRole("button", { name: "Show them" }).click();
  await expect(owner.getByRole("heading", { name: "None is so" })).toBeVisible();
  await expect(owner.getByRole("list", { name: "Conditions" })).toContainText("Began before");
});

test("who may not ask for erasures is told what it takes", async ({ server, browser }) => {
  const vera = await newcomer(server, browser, "Vera", "VIEWER");
  await vera.page.goto(`${server.url}/admin/retention`);
  await expect(vera.page.getByText("It needs the permission erasure:request")).toBeVisible();
  await expect(grid(vera.page, "Retention")).toHaveCount(0);
  await vera.page.context().close();
});
