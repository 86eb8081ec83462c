import { activate, call, failing } from "../support/failing";
import { ODD, type World, filled, grid, open, row, said } from "../support/lists";
import { expect, test } from "../support/test";

let world: World;

test.beforeAll(async ({ server }) => {
  world = await filled(server);
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

  test("nobody has looked after come first, until the newest are asked for", async ({ owner, server }) => {
    await server.execute(world.versions);
    await open(owner, server, "/executions");
    const first = grid(owner, "Executions").getByRole("row").nth(1);
    await expect(first).toContainText("failed");
    await expect(owner.getByRole("combobox", { name: "Order" })).toHaveValue("");
    await owner.getByRole("combobox", { name: "Order" }).selectOption("newest first");
    await expect(owner).toHaveURL(/order=newest/);
    await expect(first).toContainText("Greet");
    await owner.reload();
    await expect(first).toContainText("Greet");
    await owner.keyboard.press("o");
    await expect(owner).not.toHaveURL(/order=/);
    await expect(first).toContainText("failed");
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
