import AxeBuilder from "@axe-core/playwright";
import { type Page, test as base, expect } from "@playwright/test";
import { Server } from "./server";

interface OfWorker {
  /** One server for all tests of a worker. Tests that kill it or need it empty start their own. */
  server: Server;
}

interface OfTest {
  /** A page whose browser is signed in as the owner, and which fails the test when anything was blocked or broke. */
  owner: Page;
}

export const test = base.extend<OfTest, OfWorker>({
  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],
  owner: async ({ server, page }, use) => {
    const problems = watch(page);
    await server.signIn(page);
    await use(page);
    expect(problems, "what the browser complained of").toEqual([]);
  },
});

/** Takes down what a page's console complains of, such as what its content security policy blocked. */
export function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || /content security policy/i.test(message.text())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return problems;
}

/** What it may take at most to open a page and look at all of it, on a machine that has much else to do. */
export const LOOK_MS = 20_000;

/** Looks for everything that the accessibility checker knows. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`,
  );
  expect(told, new URL(page.url()).pathname).toEqual([]);
}

export { expect };
