import { type Page, expect } from "@playwright/test";
import { activate, call, chain, failing, node, webhook } from "./failing";
import type { Server } from "./server";
import { smallWorkflow } from "./workflows";

/** What somebody may call a thing, who means no good. */
export const ODD = "<img src=x onerror=document.title='broken'>";

/** What tests of lists work on: ids of workflows. */
export interface World {
  orders: string;
  invoices: string;
  versions: string;
}

const worlds = new WeakMap<Server, Promise<World>>();

/** Fills a server once, whichever tests of it ask. */
export function filled(server: Server): Promise<World> {
  const known = worlds.get(server) ?? fill(server);
  worlds.set(server, known);
  return known;
}

async function fill(server: Server): Promise<World> {
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
  return { orders, invoices, versions };
}

export async function open(page: Page, server: Server, path: string): Promise<void> {
  await page.goto(server.url + path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
}

export function grid(page: Page, name: string) {
  return page.getByRole("grid", { name, exact: true });
}

/** A row by what is in it; the heading is a row as well. */
export function row(page: Page, table: string, text: string | RegExp) {
  return grid(page, table).getByRole("row").filter({ hasText: text });
}

/** Waits for what a corner of the window says. */
export async function said(page: Page, text: string): Promise<void> {
  await expect(page.getByText(text, { exact: true })).toBeVisible();
}
