// Each place that docs/web-app.md lists, filled and in both themes, with nothing for the accessibility checker to find.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as ai from "../support/ai-data";
import { changed } from "../support/change";
import { dataTable } from "../support/data-tables";
import { ordersWorkflow } from "../support/debugged";
import { evaluated, evaluationSet, labelsWorkflow } from "../support/evaluations";
import { Provider } from "../support/provider";
import { Server } from "../support/server";
import { LOOK_MS, expect, expectAccessible, test, watch } from "../support/test";

const DOCUMENT = fileURLToPath(new URL("../../../docs/web-app.md", import.meta.url));

/** The addresses in the table of places, `ID` where one has an id. */
async function places(): Promise<string[]> {
  const rows = (await readFile(DOCUMENT, "utf8")).split("\n").filter((line) => line.startsWith("| `/"));
  return rows.flatMap((row) => [...row.matchAll(/`(\/[^`]*)`/g)].map((match) => match[1] ?? ""));
}

test("every place of the documentation is accessible in both themes", async ({ browser }) => {
  const listed = await places();
  test.setTimeout(listed.length * 3 * LOOK_MS);
  const provider = await Provider.start();
  const server = await Server.start(["--allow-private-hosts", "*"]);
  const page = await (await browser.newContext()).newPage();
  const problems = watch(page);
  const ids = await fill(server, provider);
  await server.signIn(page);
  expect(listed.length).toBeGreaterThan(15);
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    for (const place of listed) {
      const [kind, ...rest] = place.split("/ID");
      const id = ids[kind ?? ""];
      if (rest.length > 0) expect(id, `nothing is known to open ${place} with`).toBeDefined();
      const path = rest.length > 0 ? `${kind}/${id}${rest.join("")}` : place;
      await test.step(`${place}, ${theme}`, async () => {
        await page.goto(server.url + path);
        // GraphiQL is a page of its own, with a theme of its own.
        if (place === "/graphiql") await expect(page.locator(".graphiql-container")).toBeVisible();
        else {
          await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
          await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
          await expect(page.locator("[aria-busy=true], .animate-pulse")).toHaveCount(0);
          await expectAccessible(page);
        }
      });
    }
  }
  expect(problems, "what the browser complained of").toEqual([]);
  await page.context().close();
  await server.stop();
  await provider.stop();
});

/** Something of each kind, and the ids of one of each. */
async function fill(server: Server, provider: Provider): Promise<Record<string, string>> {
  await ai.gateway(server, provider);
  await ai.supportAgent(server, provider);
  await ai.addModel(server, "iris", "iris", true);
  await retention(server);
  const workflow = await server.importWorkflow(ordersWorkflow("Orders"));
  await evaluationSet(server, "questions");
  return {
    "/workflows": workflow,
    "/executions": await server.execute(workflow),
    "/models": "iris",
    "/data-tables": await dataTable(server, "Customers"),
    "/evaluation-sets": "questions",
    "/evaluations": await evaluated(server, "questions", await labelsWorkflow(server, "Labels"), 1),
    "/agent-runs": await ai.runAgent(server, "Where is order 7?"),
    "/inferences": await inference(server),
    "/gateway/calls": await ai.chat(server, "careful", "Be careful with this"),
  };
}

/** A request that somebody has to approve, and a hold. */
async function retention(server: Server): Promise<void> {
  const input = { category: "execution", reason: "our privacy policy" };
  await changed(server, "setRetention", "SetRetentionInput", { ...input, days: 30 });
  await changed(server, "placeRetentionHold", "RetentionHoldInput", { ...input, hold: "case 7" });
}

/** Asks a model, and answers the inference's id once it is listed. */
async function inference(server: Server): Promise<string> {
  await ai.flower(server, [5.1, 3.5, 1.4, 0.2]);
  const { head } = await server.ask<{ head: { position: string } }>("{ head { position } }");
  await server.settled(head.position);
  const { inferences } = await server.ask<{ inferences: { nodes: { id: string }[] } }>(
    "{ inferences(first: 1) { nodes { id } } }",
  );
  return inferences.nodes[0]?.id ?? "";
}
