import * as ai from "../support/ai-data";
import { open, said } from "../support/lists";
import type { Server } from "../support/server";
import { LOOK_MS, expect, expectAccessible, test } from "../support/test";

const MODEL = "drifting";

/** Asks for twenty flowers, which are the same twenty each time, or all of them so much larger. */
async function ask(server: Server, larger = 0): Promise<void> {
  for (let place = 0; place < 20; place += 1)
    await ai.flower(server, [5 + place / 20 + larger, 3.5 + larger, 1.4, 0.2], MODEL);
}

test("what a model is asked is compared, and watched until somebody ends that", async ({ owner, server }) => {
  test.setTimeout(12 * LOOK_MS);
  await ai.addModel(server, MODEL, "iris", true);
  await open(owner, server, `/models/${MODEL}`);
  await owner.getByRole("tab", { name: "Drift" }).click();
  await expect(owner).toHaveURL(/tab=drift/);
  const watch = owner.getByRole("group", { name: "Watch", exact: true });
  const compare = owner.getByRole("group", { name: "Compare", exact: true });
  const dialog = owner.getByRole("dialog");
  await expect(watch).toContainText("Its drift is not watched.");

  await test.step("there is no watch without a baseline", async () => {
    await watch.getByRole("button", { name: "Watch it…" }).click();
    await expect(owner).toHaveURL(/watch=true/);
    const window = dialog.getByLabel("Inferences of a window");
    await expect(window).toBeFocused();
    await window.fill("19");
    await owner.keyboard.press("Enter");
    await expect(dialog.getByRole("alert")).toHaveText("A whole number from 20 to 2,000.");
    await window.fill("20");
    await expectAccessible(owner);
    await dialog.getByRole("button", { name: "Begin" }).click();
    await expect(dialog.getByRole("alert")).toContainText("the baseline has 0 inferences");
    await owner.keyboard.press("Escape");
    await expect(owner).not.toHaveURL(/watch=true/);
  });

  await ask(server);
  await ask(server);
  await test.step("the newest are compared with those before them, and the address says so", async () => {
    await compare.getByLabel("How many on each side").fill("5");
    await compare.getByRole("button", { name: "Compare" }).click();
    await expect(compare.getByRole("alert")).toHaveText("A whole number from 20 to 1,000.");
    await compare.getByLabel("How many on each side").fill("20");
    await owner.keyboard.press("Enter");
    await expect(compare.getByRole("status")).toContainText("20 inferences compared with 20");
    await expect(owner).toHaveURL(/compare=newest/);
    const features = compare.getByRole("region", { name: "Features" });
    await expect(features).toContainText("inputs.lengths.mean");
    await expect(features).not.toContainText("drifted");
    await owner.reload();
    await expect(compare.getByRole("status")).toContainText("20 inferences compared with 20");
    await expect(compare.getByLabel("How many on each side")).toHaveValue("20");
  });

  await test.step("two times are compared, and one that ends before it begins is not", async () => {
    await compare.getByLabel("What is compared").selectOption("times");
    const window = compare.getByRole("group", { name: /^The window/ });
    const baseline = compare.getByRole("group", { name: /^The baseline/ });
    await baseline.getByLabel("From").fill("2020-01-01T00:00:00");
    await baseline.getByLabel("Until").fill("2020-01-02T00:00:00");
    await window.getByLabel("From").fill("2020-01-03T00:00:00");
    await window.getByLabel("Until").fill("2020-01-02T00:00:00");
    await compare.getByRole("button", { name: "Compare" }).click();
    await expect(window.getByRole("alert")).toHaveText("It has to begin before it ends.");
    await window.getByLabel("Until").fill("2020-01-04T00:00:00");
    await compare.getByRole("button", { name: "Compare" }).click();
    await expect(compare.getByRole("heading", { name: "There is nothing to compare" })).toBeVisible();
    await compare.getByLabel("What is compared").selectOption("newest");
    await compare.getByText(/^What counts/).click();
    await compare.getByLabel("Drifted from").fill("0.05");
    await compare.getByRole("button", { name: "Compare" }).click();
    await expect(compare.getByText("At most that of drift.")).toBeVisible();
  });

  await test.step("a watch judges what comes in, and finds what moved", async () => {
    await watch.getByRole("button", { name: "Watch it…" }).click();
    await dialog.getByLabel("Inferences of a window").fill("20");
    await dialog.getByLabel("How many of the newest").fill("40");
    await dialog.getByRole("button", { name: "Begin" }).click();
    await said(owner, "It is watched from now on");
    await expect(watch).toContainText("under way");
    await expect(watch).toContainText("every 20 inferences");
    await ask(server);
    const windows = watch.getByRole("region", { name: "Windows" });
    await expect(windows.getByRole("row")).toHaveCount(2, { timeout: 60_000 });
    await expect(windows).toContainText("stable");
    await expect(watch).toContainText("Nothing drifted so far.");
    await ask(server, 50);
    await expect(windows.getByRole("row")).toHaveCount(3, { timeout: 60_000 });
    await expect(watch.getByRole("region", { name: "What drifted" })).toContainText("inputs.lengths.mean");
    await expect(watch.getByRole("img", { name: /moved most in each of 2 windows/ })).toBeVisible();
    await compare.getByLabel("How many on each side").fill("20");
    await compare.getByLabel("Drifted from").fill("0.25");
    await compare.getByRole("button", { name: "Compare" }).click();
    await expect(compare.getByRole("region", { name: "Features" })).toContainText("drifted");
    for (const theme of ["light", "dark"] as const) {
      await owner.emulateMedia({ colorScheme: theme });
      await expect(owner.locator("html")).toHaveAttribute("data-theme", theme);
      await expectAccessible(owner);
    }
  });

  await test.step("it is changed, listed and ended", async () => {
    await watch.getByRole("button", { name: "Change…" }).click();
    await expect(dialog.getByLabel("How many of the newest")).toHaveValue("40");
    await dialog.getByLabel("Inferences of a window").fill("30");
    await owner.keyboard.press("Enter");
    await said(owner, "It is watched like this from now on");
    await expect(watch).toContainText("every 30 inferences");
    await expect(watch).toContainText("No window is full yet");
    await open(owner, server, "/models?tab=drift");
    const watches = owner.getByRole("grid", { name: "Watches over drift" });
    const row = watches.getByRole("row").filter({ hasText: MODEL });
    await expect(row).toContainText("under way");
    await row.getByRole("link", { name: MODEL }).click();
    await expect(owner).toHaveURL(new RegExp(`/models/${MODEL}\\?tab=drift`));
    await watch.getByRole("button", { name: "End…", exact: true }).click();
    await dialog.getByRole("button", { name: "End the watch" }).click();
    await said(owner, "It is watched no more");
    await expect(watch).toContainText("ended");
    await expect(watch.getByRole("button", { name: "Watch again…" })).toBeVisible();
  });
});
