// The page of the archive: old events go there, are checked, and come back.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ordersWorkflow } from "../support/debugged";
import { Server } from "../support/server";
import { expect, expectAccessible, test, watch } from "../support/test";

test("old events are archived, checked, found damaged, and brought back", async ({ browser }) => {
  const server = await Server.start();
  const page = await (await browser.newContext()).newPage();
  const problems = watch(page);
  const workflow = await server.importWorkflow(ordersWorkflow("Orders"));
  await server.execute(workflow);
  await server.signIn(page);
  await page.goto(`${server.url}/admin/archive`);
  await expect(page.getByRole("heading", { name: "Nothing is archived yet" })).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("button", { name: "Archive old events" }).click();
  const form = page.getByRole("dialog", { name: "Archive old events" });
  await expect(form.getByRole("button", { name: "Archive", exact: true })).toBeDisabled();
  await form.getByLabel("Recorded before").fill("2100-01-01");
  await form.getByLabel("To", { exact: true }).fill("ftp://elsewhere");
  await form.getByRole("button", { name: "Archive", exact: true }).click();
  await expect(form.getByRole("alert")).toContainText("give a folder or s3://BUCKET/PREFIX");
  await form.getByLabel("To", { exact: true }).fill("archive");
  await form.getByRole("button", { name: "Archive", exact: true }).click();
  const segments = page.getByRole("region", { name: "Segments" });
  await expect(segments.getByRole("row", { name: /^#1 – #\d+/ })).toContainText("not checked here");
  await expect(page.getByText(/^Archived [\d,]+ events?$/)).toBeVisible();
  await expectAccessible(page);

  const check = page.getByRole("button", { name: "Check the segment from #1 on" });
  await check.click();
  await expect(segments).toContainText("proved");
  const folder = join(server.data, "archive");
  const [name = ""] = await readdir(folder);
  const whole = await readFile(join(folder, name));
  const spoilt = Buffer.from(whole);
  spoilt[100] = (spoilt[100] ?? 0) ^ 1;
  await writeFile(join(folder, name), spoilt);
  await check.click();
  await expect(segments).toContainText("not what was archived");
  await expect(segments).toContainText("replace it by a copy of the archive");
  await expectAccessible(page);
  await writeFile(join(folder, name), whole);

  await page.getByRole("button", { name: "Bring back the events from #1 on" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Bring back" }).click();
  await expect(page.getByText(/^Brought back [\d,]+ events?$/)).toBeVisible();
  await expect(page.getByRole("heading", { name: "Nothing is archived yet" })).toBeVisible();
  expect(problems, "what the browser complained of").toEqual([]);
  await page.context().close();
  await server.stop();
});
