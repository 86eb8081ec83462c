// What agents remember, session by session, and agents and models that are chosen by their names.
import type { Page } from "@playwright/test";
import * as ai from "../support/ai-data";
import { card, draftOf, expectSaved, openEditor } from "../support/editor";
import { node } from "../support/failing";
import { Provider } from "../support/provider";
import { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";

let server: Server;
let provider: Provider;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  test.setTimeout(180_000);
  provider = await Provider.start();
  server = await Server.start(["--allow-private-hosts", "*"]);
  await ai.gateway(server, provider);
  await ai.supportAgent(server, provider);
  await ai.addModel(server, "iris", "iris", true);
  page = await (await browser.newContext()).newPage();
  problems = watch(page);
  await server.signIn(page);
});

test.afterAll(async () => {
  await page.context().close();
  await server.stop();
  await provider.stop();
});

test.afterEach(() => {
  expect(problems.splice(0), "what the browser complained of").toEqual([]);
});

test("the sessions that an agent remembers are listed, and forgotten one at a time", async () => {
  await page.goto(`${server.url}/agents/support?tab=memory`);
  await expect(page.getByRole("heading", { name: "It remembers no session yet" })).toBeVisible();
  for (const session of ["customer-7", "customer-8", "customer-7"])
    await ai.runAgent(server, "Where is order 7?", { session });
  await page.reload();
  const sessions = page.getByRole("region", { name: "Sessions" });
  const row = (session: string) => sessions.getByRole("row").filter({ hasText: session });
  await expect(row("customer-7").getByRole("cell").nth(1)).toHaveText("2");
  await expect(row("customer-8").getByRole("cell").nth(1)).toHaveText("1");
  await expectAccessible(page);
  await row("customer-7").getByRole("button", { name: "Forget the session customer-7" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Forget it" }).click();
  await expect(row("customer-7")).toHaveCount(0);
  await expect(row("customer-8")).toBeVisible();
});

test("agents and models are chosen by their names in forms of nodes", async () => {
  const own = (name: string, type: string, place: number) => ({ ...node(name, "noOp", {}, 1, place), type });
  const id = await server.importWorkflow({
    name: "Asks an agent",
    nodes: [node("Start", "manualTrigger"), own("Agent", "timeloom.agent", 1), own("Flower", "timeloom.model", 2)],
    connections: {},
  });
  await openEditor(page, server, id, "?node=Agent");
  const agent = page.getByRole("region", { name: "Node Agent" }).getByRole("combobox", { name: /^Agent/ });
  await agent.click();
  await page.getByRole("option", { name: "support" }).click();
  await expectSaved(page);
  await page.keyboard.press("Escape");
  await card(page, "Flower").dblclick();
  const model = page.getByRole("region", { name: "Node Flower" }).getByRole("combobox", { name: /^Model/ });
  await model.click();
  await page.getByRole("option", { name: "iris", exact: true }).click();
  await expectSaved(page);
  const { nodes } = await draftOf(server, id);
  expect(nodes.map(({ name, parameters }) => [name, parameters])).toEqual([
    ["Start", {}],
    ["Agent", { agent: "support" }],
    ["Flower", { model: "iris" }],
  ]);
});
