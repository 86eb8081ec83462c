import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { dataTable, insertRows } from "../support/data-tables";
import { newcomer } from "../support/people";
import { expect, expectAccessible, test } from "../support/test";

/** A cell by the number of its row, counted from 1, and the name of its column. */
async function cell(page: Page, row: number, column: string) {
  const heads = await page.getByRole("columnheader").allTextContents();
  const place = heads.findIndex((head) => head.startsWith(column));
  return page.locator(`[role=row][aria-rowindex="${row + 1}"] [role=gridcell]`).nth(place);
}

async function names(page: Page): Promise<string[]> {
  const heads = await page.getByRole("columnheader").allTextContents();
  const place = heads.findIndex((head) => head.startsWith("name"));
  return page.locator(`[role=row][data-row] [role=gridcell]:nth-child(${place + 1})`).allTextContents();
}

test("a table is made, filled, written by the keyboard, and seen as it was", async ({ owner, server }) => {
  await owner.goto(`${server.url}/data-tables`);
  await owner.getByRole("heading", { level: 1, name: "Data tables" }).waitFor();
  await owner.keyboard.press("n");
  const form = owner.getByRole("dialog");
  await form.getByLabel("Name", { exact: true }).fill("Guests");
  await form.getByLabel("Name of column 1").fill("2nd");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(form.getByRole("alert")).toContainText("A letter, then letters");
  await form.getByLabel("Name of column 1").fill("name");
  await form.getByRole("button", { name: "One more column" }).click();
  await form.getByLabel("Name of column 2").fill("seats");
  await form.getByLabel("Type of column 2").selectOption("number");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(owner.getByRole("heading", { level: 1, name: "Guests" })).toBeVisible();
  await expect(owner.getByRole("heading", { name: "No rows yet" })).toBeVisible();

  await owner.keyboard.press("n");
  await form.getByLabel("name").fill("Ada");
  await form.getByLabel("seats").fill("two");
  await form.getByRole("button", { name: "Put it in" }).click();
  await expect(form.getByRole("alert")).toContainText("the column 'seats' holds a number");
  await form.getByLabel("seats").fill("2");
  await form.getByRole("button", { name: "Put it in" }).click();
  await expect(form).toBeHidden();
  const seats = await cell(owner, 1, "seats");
  await expect(seats).toHaveText("2");
  const { head } = await server.ask<{ head: { position: string } }>("{ head { position } }");

  await (await cell(owner, 1, "name")).focus();
  await owner.keyboard.press("ArrowRight");
  await owner.keyboard.press("Enter");
  await owner.keyboard.type("many");
  await owner.keyboard.press("Enter");
  const editor = owner.getByRole("textbox", { name: "seats of row 1" });
  await expect(owner.getByRole("alert")).toContainText("holds a number");
  await expect(editor).toBeFocused();
  await editor.fill("5");
  await owner.keyboard.press("Enter");
  await expect(editor).toBeHidden();
  await expect(seats).toHaveText("5");
  await seats.focus();
  await owner.keyboard.press("F2");
  await owner.keyboard.type("7");
  await owner.keyboard.press("Escape");
  await expect(seats).toHaveText("5");
  await expect(seats).toBeFocused();
  await owner.keyboard.press("ArrowLeft");
  await owner.keyboard.press("Delete");
  await expect(await cell(owner, 1, "name")).toHaveText("empty");

  await owner.getByRole("textbox", { name: "As of" }).fill(`#${head.position}`);
  await owner.keyboard.press("Enter");
  await expect(owner.getByText("nothing can be written here")).toBeVisible();
  await expect(await cell(owner, 1, "name")).toHaveText("Ada");
  await expect(owner.getByRole("button", { name: "New row" })).toBeHidden();
  await owner.getByRole("button", { name: "Back to now", exact: true }).last().click();
  await expect(await cell(owner, 1, "seats")).toHaveText("5");
});

test("an address says which rows are shown and in which order", async ({ owner, server }) => {
  const id = await dataTable(server, "Sorted customers");
  await owner.goto(`${server.url}/data-tables/${id}`);
  await expect.poll(() => names(owner)).toEqual(["Ada", "Grace, H.", "Bob"]);
  await owner.getByRole("columnheader", { name: "orders" }).getByRole("button").click();
  await owner.getByRole("menuitem", { name: "Sort downwards" }).click();
  await expect.poll(() => names(owner)).toEqual(["Grace, H.", "Ada", "Bob"]);
  await owner.keyboard.press("/");
  const form = owner.getByRole("form", { name: "One more condition" });
  await form.getByLabel("Column").selectOption("orders");
  await form.getByLabel("Condition").selectOption("is at least");
  await form.getByLabel("Value").fill("3");
  await owner.keyboard.press("Enter");
  await expect(owner.getByText("2 of 3 rows")).toBeVisible();
  await owner.reload();
  await expect.poll(() => names(owner)).toEqual(["Grace, H.", "Ada"]);
  expect(new URL(owner.url()).searchParams.getAll("where")).toEqual(["orders gte 3"]);
  await expect(owner.getByRole("columnheader", { name: "orders" })).toHaveAttribute("aria-sort", "descending");
  await owner.getByRole("button", { name: "Take out: orders is at least 3" }).click();
  await expect.poll(() => names(owner)).toEqual(["Grace, H.", "Ada", "Bob"]);

  await owner.goto(`${server.url}/data-tables/${id}?where=nickname+eq+x`);
  await expect(owner.getByRole("alert")).toContainText("has no column 'nickname'");
});

test("rows come out of a file and go into one", async ({ owner, server }) => {
  const id = await dataTable(server, "Files of customers");
  await owner.goto(`${server.url}/data-tables/${id}?open=import`);
  const dialog = owner.getByRole("dialog");
  const file = dialog.getByLabel("File of rows");
  const csv = (text: string) => ({ name: "more.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  await file.setInputFiles(csv("name,nickname\nEve,E\n"));
  await expect(dialog.getByRole("status")).toContainText("The table has no column nickname");
  await file.setInputFiles(csv("name,orders\nEve,1\n"));
  await expect(dialog.getByRole("status")).toContainText("more.csv has 1 rows");
  await file.setInputFiles(csv('name,orders\n"Lovelace, A.",5\nEve,\n'));
  await dialog.getByRole("button", { name: "Import" }).click();
  await expect(dialog.getByRole("status")).toContainText("2 of 2 rows came in");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect.poll(() => names(owner)).toEqual(["Ada", "Grace, H.", "Bob", "Lovelace, A.", "Eve"]);

  await owner.goto(`${server.url}/data-tables/${id}?where=orders+gte+5`);
  await expect.poll(() => names(owner)).toEqual(["Grace, H.", "Lovelace, A."]);
  await owner.keyboard.press("e");
  await dialog.getByLabel("Format").selectOption("csv");
  const downloading = owner.waitForEvent("download");
  await dialog.getByRole("button", { name: "Write the file" }).click();
  const text = await readFile(await (await downloading).path(), "utf8");
  const lines = text.split("\r\n").map((line) => line.split(",20")[0]);
  expect(lines.slice(0, 3)).toEqual([
    "id,name,orders,active,since,createdAt,updatedAt",
    '2,"Grace, H.",12,false',
    '4,"Lovelace, A.",5,,',
  ]);
});

test("what others write shows by itself, and chosen rows go together", async ({ owner, server }) => {
  const id = await dataTable(server, "Live customers");
  await owner.goto(`${server.url}/data-tables/${id}`);
  await expect.poll(() => names(owner)).toHaveLength(3);
  await insertRows(server, id, [{ name: "Eve" }]);
  await expect.poll(() => names(owner)).toEqual(["Ada", "Grace, H.", "Bob", "Eve"]);
  await owner.getByRole("checkbox", { name: "Choose row 2", exact: true }).check();
  await (await cell(owner, 4, "name")).focus();
  await owner.keyboard.press("Space");
  await expect(owner.getByText("2 chosen")).toBeVisible();
  await owner.getByRole("button", { name: "Delete", exact: true }).click();
  await owner.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(() => names(owner)).toEqual(["Ada", "Bob"]);
});

test("a table of many rows shows those in sight, and goes to its end by a key", async ({ owner, server }) => {
  const id = await dataTable(server, "Many customers");
  for (const part of [0, 1, 2])
    await insertRows(
      server,
      id,
      Array.from({ length: 1_000 }, (_, row) => ({ name: `n${part * 1_000 + row}` })),
    );
  await owner.goto(`${server.url}/data-tables/${id}`);
  await expect(owner.getByText("3,003 rows")).toBeVisible();
  await (await cell(owner, 1, "name")).focus();
  await owner.keyboard.press("Control+End");
  await expect(owner.getByText("n2999", { exact: true })).toBeVisible();
  expect(await owner.locator("[role=row][data-row]").count()).toBeLessThan(100);
});

test("columns are added, renamed and removed", async ({ owner, server }) => {
  const id = await dataTable(server, "Columns of customers");
  await owner.goto(`${server.url}/data-tables/${id}`);
  await expect.poll(() => names(owner)).toHaveLength(3);
  await owner.keyboard.press("c");
  const dialog = owner.getByRole("dialog");
  await dialog.getByLabel("Name of the column").fill("score");
  await dialog.getByLabel("Type of the column").selectOption("number");
  await dialog.getByRole("button", { name: "Add it" }).click();
  await expect(owner.getByRole("columnheader", { name: "score" })).toBeVisible();
  await expect(await cell(owner, 1, "score")).toHaveText("empty");
  await owner.getByRole("columnheader", { name: "orders" }).getByRole("button").click();
  await owner.getByRole("menuitem", { name: "Rename" }).click();
  await dialog.getByLabel("New name").fill("ordersInAll");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await expect(owner.getByRole("columnheader", { name: "ordersInAll" })).toBeVisible();
  await expect(await cell(owner, 2, "ordersInAll")).toHaveText("12");
  await owner.getByRole("columnheader", { name: "active" }).getByRole("button").click();
  await owner.getByRole("menuitem", { name: "Remove" }).click();
  await dialog.getByRole("button", { name: "Remove the column" }).click();
  await expect(owner.getByRole("columnheader", { name: "active" })).toHaveCount(0);
});

test("who may only look sees rows and can write none", async ({ server, browser }) => {
  const id = await dataTable(server, "Customers to look at");
  const { page, problems } = await newcomer(server, browser, "Vera", "VIEWER");
  await page.goto(`${server.url}/data-tables/${id}`);
  await expect.poll(() => names(page)).toHaveLength(3);
  await expect(page.getByRole("button", { name: "New row" })).toHaveCount(0);
  await expect(page.getByRole("checkbox")).toHaveCount(0);
  await (await cell(page, 1, "name")).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("grid").getByRole("textbox")).toHaveCount(0);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("the pages are accessible in both themes, with what they open, and on a phone", async ({ owner, server }) => {
  test.setTimeout(180_000);
  const id = await dataTable(server, "Accessible customers");
  const paths = [
    "/data-tables",
    "/data-tables?open=new",
    `/data-tables/${id}?where=orders+gte+3&where=name+ilike+a&sort=orders`,
  ];
  const dialogs = ["row", "import", "export", "column", "rename"].map((open) => `/data-tables/${id}?open=${open}`);
  const look = async () => {
    for (const path of [...paths, ...dialogs]) {
      await owner.goto(server.url + path);
      await expect(owner.locator("[aria-busy=true], .animate-pulse")).toHaveCount(0);
      await expect(owner.getByRole("grid")).toBeVisible();
      await expectAccessible(owner);
    }
  };
  for (const theme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme: theme });
    await look();
  }
  await owner.setViewportSize({ width: 375, height: 780 });
  await look();
  const wide = await owner.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide, "it is wider than a phone").toBeLessThanOrEqual(0);
});
