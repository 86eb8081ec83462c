import { Server } from "../support/server";
import { expect, test } from "../support/test";

test("the app opens without its server, also after something else was looked at there", async ({ browser }) => {
  const server = await Server.start();
  const page = await (await browser.newContext()).newPage();
  await server.signIn(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  // Loads and keeps its parts by the worker.
  await page.goto(`${server.url}/workflows`);
  await expect(page.getByRole("heading", { level: 1, name: "Workflows" })).toBeVisible();
  for (const path of ["/readyz", "/healthz"]) await page.goto(server.url + path);
  await server.kill();
  await page.goto(`${server.url}/workflows`);
  await expect(page.getByText("The connection to the server is lost")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1, name: "Workflows" })).toBeVisible();
  await page.context().close();
  await server.stop();
});

test("the app is installed when the browser offers it", async ({ owner, server }) => {
  await owner.goto(`${server.url}/admin/browser`);
  await expect(owner.getByText("from the browser's menu")).toBeVisible();
  await owner.evaluate(() => {
    const offer = Object.assign(new Event("beforeinstallprompt", { cancelable: true }), {
      prompt: () => {
        document.title = "asked";
        return Promise.resolve();
      },
    });
    dispatchEvent(offer);
  });
  await owner.getByRole("button", { name: "Install" }).click();
  await expect(owner).toHaveTitle("asked");
  await expect(owner.getByRole("button", { name: "Install" })).toHaveCount(0);
});
