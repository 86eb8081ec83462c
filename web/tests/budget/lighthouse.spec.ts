// What Lighthouse says of the pages that are opened most, as a desktop sees them, without any network but this machine's.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "@playwright/test";
import lighthouse, { type Result } from "lighthouse";
import desktop from "lighthouse/core/config/desktop-config.js";
import { ordersWorkflow } from "../support/debugged";
import { freePort } from "../support/server";
import { expect, test } from "../support/test";
import { atLeast, median } from "./rows";

const RUNS = Number(process.env.LIGHTHOUSE_RUNS ?? 5);

test("pages that are opened most, by Lighthouse", async ({ server, launchOptions }) => {
  test.setTimeout(1_800_000);
  const workflow = await server.importWorkflow(ordersWorkflow("Orders"));
  let execution = "";
  for (let run = 0; run < 10; run += 1) execution = await server.execute(workflow);
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "timeloom-lighthouse-"));
  const options = { ...launchOptions, args: [...(launchOptions.args ?? []), `--remote-debugging-port=${port}`] };
  const context = await chromium.launchPersistentContext(folder, options);
  try {
    await server.signIn(await tab(context));
    for (const [name, path] of [
      ["home", "/"],
      ["workflows", "/workflows"],
      ["editor", `/workflows/${workflow}`],
      ["execution", `/executions/${execution}`],
      ["audit", "/audit"],
    ] as const) {
      const performance: number[] = [];
      const accessibility: number[] = [];
      const found = new Set<string>();
      const spent: Spent[] = [];
      for (let run = 0; run < RUNS; run += 1) {
        const scores = await audit(server.url + path, port);
        spent.push(scores.spent);
        performance.push(scores.performance);
        accessibility.push(scores.accessibility);
        for (const one of scores.found) found.add(one);
      }
      atLeast(`Lighthouse, ${name}: performance, median of ${RUNS}`, median(performance), 95);
      atLeast(`Lighthouse, ${name}: accessibility`, Math.min(...accessibility), 100);
      for (const one of found) console.log(`  ${one}`);
      console.log(`  ${inWords(spent)}`);
    }
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
});

async function tab(context: BrowserContext) {
  return context.pages()[0] ?? (await context.newPage());
}

interface Scores {
  performance: number;
  accessibility: number;
  /** What takes accessibility away. */
  found: string[];
  spent: Spent;
}

/** What the figure of performance is made of; milliseconds, but for the layout shift. */
const SPENT = {
  "first-contentful-paint": "first paint",
  "largest-contentful-paint": "largest paint",
  "total-blocking-time": "blocked",
  "speed-index": "speed index",
  "cumulative-layout-shift": "layout shift",
  "mainthread-work-breakdown": "main thread",
} as const;
type Spent = { [K in keyof typeof SPENT]: number } & { largest: string };

/** Medians of several runs, and what the last one saw as the largest thing painted. */
function inWords(runs: readonly Spent[]): string {
  const parts = (Object.keys(SPENT) as (keyof typeof SPENT)[]).map((name) => {
    const value = median(runs.map((run) => run[name]));
    return `${SPENT[name]} ${name === "cumulative-layout-shift" ? value.toFixed(3) : `${value.toFixed(0)} ms`}`;
  });
  return `${parts.join(", ")}; largest: ${runs.at(-1)?.largest ?? ""}`;
}

async function audit(url: string, port: number): Promise<Scores> {
  const flags = {
    port,
    // The browser is signed in, and stays so.
    disableStorageReset: true,
    onlyCategories: ["performance", "accessibility"],
    logLevel: "error" as const,
  };
  const result = await lighthouse(url, flags, desktop);
  if (result === undefined) throw new Error(`Lighthouse said nothing of ${url}`);
  const { runtimeError, finalDisplayedUrl, categories, audits } = result.lhr;
  expect(runtimeError?.message).toBeUndefined();
  expect(finalDisplayedUrl).toBe(url);
  const score = (name: string) => Math.round((categories[name]?.score ?? 0) * 100);
  const refs = categories.accessibility?.auditRefs ?? [];
  const failing = refs.flatMap(({ id, weight }) => (weight > 0 && audits[id]?.score === 0 ? [audits[id]] : []));
  return {
    performance: score("performance"),
    accessibility: score("accessibility"),
    spent: spentBy(audits),
    found: failing.map(({ title, details }) => `${title}: ${JSON.stringify(details).slice(0, 600)}`),
  };
}

function spentBy(audits: Result["audits"]): Spent {
  const values = Object.keys(SPENT).map((name) => [name, audits[name]?.numericValue ?? 0]);
  const element = JSON.stringify(audits["largest-contentful-paint-element"]?.details ?? "");
  const largest = /"snippet":"((?:[^"\\]|\\.)*)"/.exec(element)?.[1] ?? "unknown";
  return { ...Object.fromEntries(values), largest: largest.slice(0, 120) } as Spent;
}
