// A run of 10,000 events: how soon its state is there, and what a step through its history takes.
import type { Page } from "@playwright/test";
import { loopWorkflow } from "../support/debugged";
import type { Server } from "../support/server";
import { expect, test } from "../support/test";
import { MainThread } from "./main-thread";
import { atMost, median, quantile } from "./rows";

const EVENTS = 10_000;
const OPENINGS = 7;
const STEPS = 60;
const RUN_MS = 300_000;

test("a run of 10,000 events opens and is stepped through in time", async ({ owner, server }) => {
  test.setTimeout(RUN_MS + 300_000);
  // Three events for each turn.
  const id = await server.execute(await server.importWorkflow(loopWorkflow("Long", Math.ceil(EVENTS / 3))), RUN_MS);
  const length = await lengthOf(server, id);
  expect(length).toBeGreaterThanOrEqual(EVENTS);

  const openings: number[] = [];
  for (let time = 0; time < OPENINGS; time += 1) openings.push(await opening(owner, `${server.url}/executions/${id}`));
  const what = `${length.toLocaleString("en")} events`;
  atMost(`${what}: from the address to the first state, median`, median(openings), 500, "ms");

  await expect(owner.getByText("Reading history")).toHaveCount(0, { timeout: 120_000 });
  const thread = await MainThread.of(owner);
  const slider = owner.getByRole("slider", { name: "Event" });
  await slider.fill(String(Math.floor(length / 3)));
  await slider.focus();
  // Finding it by its role takes more than what is measured.
  const handle = await slider.elementHandle();
  const forward: number[] = [];
  for (let step = 0; step < STEPS; step += 1)
    forward.push(await thread.during(() => owner.keyboard.press("ArrowRight")));
  const jumps: number[] = [];
  for (let step = 1; step <= STEPS; step += 1) {
    const to = 1 + ((step * 7_919) % (length - 1));
    jumps.push(await thread.during(() => handle.evaluate(moveTo, String(to))));
  }
  for (const [name, values] of [
    ["one step", forward],
    ["a jump anywhere", jumps],
  ] as const) {
    atMost(`${what}: ${name}, work of the main thread, median`, median(values), 16, "ms");
    atMost(`${what}: ${name}, work of the main thread, p95`, quantile(values, 0.95), 16, "ms");
  }
});

/** Moves a slider as a hand does. */
function moveTo(element: Node, value: string): void {
  // React has a setter of its own on the element, which would not tell it that something changed.
  Reflect.set(HTMLInputElement.prototype, "value", value, element);
  element.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Milliseconds from the beginning of the navigation until a node shows how it went. */
async function opening(page: Page, url: string): Promise<number> {
  await page.goto("about:blank");
  await page.goto(url, { waitUntil: "commit" });
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const look = () => {
          if (document.querySelector('[data-node="Note"][data-status="COMPLETED"]')) resolve(performance.now());
          else requestAnimationFrame(look);
        };
        look();
      }),
  );
}

async function lengthOf(server: Server, id: string): Promise<number> {
  const { execution } = await server.ask<{ execution: { revision: number } }>(
    "query($id: UUID!) { execution(id: $id) { revision } }",
    { id },
  );
  return execution.revision;
}
