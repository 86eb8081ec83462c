import { changed } from "../support/change";
import { activate, call, failing } from "../support/failing";
import { newcomer } from "../support/people";
import { ODD, filled, open, said } from "../support/lists";
import { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";

test.beforeAll(async ({ server }) => {
  await filled(server);
});

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

  test("what takes two users is told to both, and leads to where it is decided", async ({ owner, server, browser }) => {
    const own = { category: "model-call", reason: "our privacy policy" };
    await open(owner, server, "/");
    const asked = owner.getByRole("region", { name: "For a second user" });
    await expect(asked).toContainText("Nothing was asked for");
    await expect(owner.getByRole("img", { name: "Changes come by themselves" })).toBeVisible();
    await changed(server, "setRetention", "SetRetentionInput", { ...own, days: 30 });
    // It comes by itself.
    await expect(asked).toContainText("Keep model calls for 30 days");
    await expect(asked).toContainText("You asked for it, and another user has to decide: our privacy policy");
    await expectAccessible(owner);

    const ben = await newcomer(server, browser, "Ben", "ADMIN");
    const his = ben.page.getByRole("region", { name: "For a second user" });
    await expect(his).toContainText("and you may decide: our privacy policy");
    await his.getByRole("link", { name: "Keep model calls for 30 days" }).click();
    await expect(ben.page).toHaveURL(/\/admin\/retention\?category=model-call$/);
    await expect(ben.page.getByRole("button", { name: "Approve…" })).toBeVisible();

    await changed(server, "withdrawRetention", "RetentionInput", own);
    await expect(asked).toContainText("Nothing was asked for");
    const vera = await newcomer(server, browser, "Vera", "VIEWER");
    await expect(vera.page.getByRole("region", { name: "The platform" })).toBeVisible();
    await expect(vera.page.getByRole("region", { name: "For a second user" })).toHaveCount(0);
    for (const { page, problems } of [ben, vera]) {
      expect(problems).toEqual([]);
      await page.context().close();
    }
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
