import type { Page } from "@playwright/test";
import * as ai from "../support/ai-data";
import { Provider } from "../support/provider";
import { Server } from "../support/server";
import { LOOK_MS, expect, expectAccessible, test, watch } from "../support/test";

// Agents call a shop, and routes ask a provider, on this machine: the server has to be allowed to.
const FLAGS = ["--allow-private-hosts", "*"];

let server: Server;
let provider: Provider;
let page: Page;
let problems: string[];
const ids = { run: "", call: "", inference: "" };

test.describe.configure({ mode: "serial" });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(180_000);
  provider = await Provider.start();
  server = await Server.start(FLAGS);
  page = await (await browser.newContext()).newPage();
  problems = watch(page);
  await server.signIn(page, "/agents");
});

test.afterAll(async () => {
  await page.context().close();
  await server.stop();
  await provider.stop();
});

test.afterEach(() => {
  expect(problems.splice(0), "what the browser complained of").toEqual([]);
});

const at = (path: string) => page.goto(server.url + path);
const dialog = () => page.getByRole("dialog");

test("pages without anything say what belongs there, and how to begin", async () => {
  await expect(page.getByRole("heading", { name: "No agents yet" })).toBeVisible();
  await at("/models");
  await expect(page.getByRole("heading", { name: "No models yet" })).toBeVisible();
  await expect(page.getByRole("region", { name: "a model that chats" })).toContainText("timeloom model add smollm2");
  await at("/gateway");
  await expect(page.getByRole("heading", { name: "Nothing was asked yet" })).toBeVisible();
  await expect(page.getByRole("region", { name: "variables" })).toContainText(`OPENAI_BASE_URL=${server.url}/v1`);
  await expect(page.getByRole("region", { name: "Anthropic and Ollama" })).toContainText(`OLLAMA_HOST=${server.url}`);
  for (const path of [
    "/agents/nobody",
    "/models/nobody",
    `/agent-runs/${ABSENT}`,
    `/inferences/${ABSENT}`,
    `/gateway/calls/${ABSENT}`,
  ]) {
    await at(path);
    await expect(page.getByRole("heading", { name: /^There is no/ }), path).toBeVisible();
  }
});

const ABSENT = "01920000-0000-7000-8000-000000000000";

test("a provider and a route are set up by forms, which say what is wrong", async () => {
  await at("/gateway?tab=providers");
  await page.getByRole("button", { name: "Set up a provider" }).last().click();
  await dialog().getByLabel("Name", { exact: true }).fill("main");
  await dialog().getByLabel("Address").fill("http://user:secret@example.com/v1");
  await dialog().getByRole("button", { name: "Save" }).click();
  await expect(dialog().getByRole("alert")).not.toBeEmpty();
  await dialog().getByLabel("Address").fill(`http://${provider.host}/v1`);
  await dialog().getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("region", { name: "Providers" }).getByText("main", { exact: true })).toBeVisible();

  await page.getByRole("tab", { name: "Routes" }).click();
  await page.getByRole("button", { name: "Set up a route" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("by-hand");
  await dialog().getByLabel("Its model").fill("small-1");
  await dialog().getByRole("button", { name: "Add a fall-back" }).click();
  await dialog().getByLabel("Its model").last().fill("small-2");
  await dialog().getByRole("button", { name: "Save" }).click();
  const route = page.getByRole("group", { name: "by-hand" });
  await expect(route).toContainText("small-1");
  await expect(route).toContainText("When that fails");
  await route.getByRole("button", { name: "Remove by-hand" }).click();
  await dialog().getByRole("button", { name: "Remove it" }).click();
  await expect(page.getByRole("heading", { name: "No routes yet" })).toBeVisible();
});

test("calls come by themselves, tell who was asked on the way, and are summed up", async () => {
  await ai.gateway(server, provider);
  await at("/gateway");
  await ai.chat(server, "fast", `Good morning ${ai.HOSTILE}`);
  ids.call = await ai.chat(server, "careful", "Be careful with this");
  const calls = page.getByRole("grid", { name: "Calls" });
  await expect(async () => {
    const more = page.getByRole("button", { name: /^\d+ new$/ });
    if (await more.isVisible()) await more.click();
    await expect(calls.getByRole("link", { name: "careful" })).toBeVisible({ timeout: 500 });
  }).toPass();
  await calls.getByRole("link", { name: "careful" }).click();
  await expect(page).toHaveURL(new RegExp(ids.call));
  const attempts = page.getByRole("region", { name: "Attempts" }).last();
  await expect(attempts).toContainText("the machine room is on fire");
  await expect(attempts).toContainText("fell back to it");
  await expect(page.getByRole("list", { name: "What was said" })).toContainText("You said: Be careful with this");

  await at("/gateway?tab=spend");
  await expect(
    page.getByRole("region", { name: "Spend by route" }).getByRole("link", { name: "careful" }),
  ).toBeVisible();
  await at("/gateway?tab=limits");
  const limits = page.getByRole("region", { name: "Limits" }).first();
  await expect(limits).toContainText("by the busiest key");
  await expect(limits).toContainText("left");
});

test("a limit is set, and holds", async () => {
  await at("/gateway?tab=limits");
  await page.getByRole("button", { name: "Set a limit" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("tight");
  await dialog().getByLabel("At most").fill("0.000001");
  await dialog().getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("tight", { exact: true })).toBeVisible();
  const refused = await ai.chat(server, "fast", "Is there money left?");
  await at(`/gateway/calls/${refused}`);
  await expect(page.getByRole("note")).toContainText("has a limit");
  await at("/gateway?tab=limits");
  await page.getByRole("button", { name: "Remove tight" }).click();
  await dialog().getByRole("button", { name: "Remove it" }).click();
  await expect(page.getByText("tight", { exact: true })).toBeHidden();
});

test("an agent is configured by the form of its schema", async () => {
  await ai.supportAgent(server, provider);
  await at("/agents/support?tab=configuration");
  await expect(page.getByText(ai.HOSTILE)).toBeVisible();
  await expect(page).toHaveTitle(/support/);
  const days = page.getByLabel("days (may be left out)");
  await days.fill("31");
  await expect(page.getByText("It may be at most 30.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
  await days.fill("21");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Runs begin with this from now on", { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("days (may be left out)")).toHaveValue("21");
});

test("a run is started, watched, approved and told turn by turn", async () => {
  await at("/agents/support");
  await expect(page.getByRole("button", { name: "Run", exact: true })).toBeVisible();
  await page.keyboard.press("r");
  await dialog().getByRole("button", { name: "Run", exact: true }).click();
  await expect(dialog().getByText("It has to be there.")).toBeVisible();
  await dialog().getByLabel("What it is given").fill("Please refund 9");
  await dialog().getByRole("button", { name: "Run", exact: true }).click();
  await expect(page).toHaveURL(/\/agent-runs\/[0-9a-f-]{36}$/);
  ids.run = page.url().slice(-36);
  const asked = page.getByRole("region", { name: "Waits for an approval" });
  await expect(asked).toContainText('"number": "9"');
  await page.keyboard.press("a");
  await dialog().getByLabel(/^Why/).fill("fine");
  await dialog().getByRole("button", { name: "Approve" }).click();
  const timeline = page.getByRole("list", { name: "Timeline" });
  await expect(timeline).toContainText("Came to its answer");
  await expect(timeline).toContainText("approved by");
  await expect(timeline).toContainText("“fine”");
  await expect(timeline).toContainText('{"refunded":true}');
  await expect(timeline).toContainText("The money is on its way back");
  await page.getByRole("button", { name: "Check" }).click();
  await expect(page.getByText("the same", { exact: true })).toBeVisible();
});

test("a denial reaches the model, and a run is paused, goes on and is ended", async () => {
  const denied = await ai.runAgent(server, "Please refund 4", { waitFor: "STARTED" });
  await at(`/agent-runs/${denied}`);
  await page.getByRole("button", { name: "Deny" }).click();
  await expect(dialog().getByRole("button", { name: "Deny" })).toBeDisabled();
  await dialog().getByLabel("Why").fill("too much money");
  await dialog().getByRole("button", { name: "Deny" }).click();
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("“too much money”");
  const ended = await ai.runAgent(server, "Please refund 5", { waitFor: "STARTED" });
  await at(`/agent-runs/${ended}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await dialog().getByLabel("Why").fill("to look at it");
  await dialog().getByRole("button", { name: "Pause it" }).click();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "End" }).click();
  await dialog().getByLabel("Why").fill("enough");
  await dialog().getByRole("button", { name: "End it" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("cancelled");
});

test("a run is forked with another result of a tool, and compared with its fork", async () => {
  const run = await ai.runAgent(server, "Where is order 7?");
  await at(`/agent-runs/${run}`);
  await page.getByRole("button", { name: "Fork as if order had given something else" }).click();
  await dialog()
    .getByLabel(/is to have given$/)
    .fill('{"state":"lost"}');
  await dialog().getByRole("button", { name: "Fork", exact: true }).click();
  await expect(page).not.toHaveURL(new RegExp(run));
  await expect(page.getByRole("list", { name: "Timeline" })).toContainText("It is lost");
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { level: 1, name: "Two runs side by side" })).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: "the first difference is number" })).toBeVisible();
  await expect(page.getByText("first difference", { exact: true })).toHaveCount(2);
});

test("a file becomes a model that answers, and a broken one is refused with the reason", async () => {
  await at("/models?add=true");
  await dialog()
    .getByLabel("File")
    .setInputFiles({ name: "Broken.onnx", mimeType: "application/octet-stream", buffer: Buffer.from("no model") });
  await expect(dialog().getByLabel("Name", { exact: true })).toHaveValue("broken");
  await dialog().getByRole("button", { name: "Send and check" }).click();
  await expect(dialog().getByRole("alert")).not.toBeEmpty();
  // The browser says of every request that was refused that it was.
  expect(problems.splice(0).join()).toMatch(/^Failed to load resource: the server responded with a status of 4\d\d/);
  await dialog().getByLabel("File").setInputFiles(ai.modelFile("iris"));
  await dialog().getByLabel("Name", { exact: true }).fill("iris");
  await dialog().getByRole("button", { name: "Send and check" }).click();
  await expect(page).toHaveURL(/\/models\/iris/);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("version 1 answers");
  await expect(page.getByRole("group", { name: /^Version 1/ })).toContainText("any × 4");
});

test("an upload that broke off goes on where it ended", async () => {
  const bytes = 249;
  const begun = (await (await server.post("/models/uploads", { bytes })).json()) as { id: string };
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "PUT") sent.push(request.url());
  });
  const { readFile } = await import("node:fs/promises");
  const file = await readFile(ai.modelFile("iris"));
  expect(file.length).toBe(bytes);
  await server.send("PUT", `/models/uploads/${begun.id}?offset=0`, file.subarray(0, 100));
  await at(`/models/iris?add=true&upload=${begun.id}`);
  await dialog().getByLabel("File").setInputFiles(ai.modelFile("iris"));
  await dialog().getByRole("button", { name: "Go on with the upload" }).click();
  await expect(dialog()).toBeHidden();
  expect(sent.map((url) => new URL(url).search)).toEqual(["?offset=100"]);
});

test("versions are tried, promoted and named, and the past knows which answered", async () => {
  await ai.addModel(server, "iris", "digits", false);
  await at("/models/iris");
  const rollout = page.getByRole("group", { name: "Roll-out" });
  await rollout.getByRole("slider").fill("10");
  await rollout.getByRole("button", { name: "Start" }).click();
  await expect(rollout).toContainText("answers 10 % of the requests");
  await rollout.getByRole("slider").fill("50");
  await rollout.getByRole("button", { name: "Step to 50 %" }).click();
  await expect(rollout).toContainText("answers 50 % of the requests");
  await rollout.getByRole("button", { name: "End", exact: true }).click();
  await dialog().getByLabel("Why").fill("seen enough");
  await dialog().getByRole("button", { name: "End the trial" }).click();
  await expect(rollout.getByRole("button", { name: "Start" })).toBeVisible();

  await page.getByLabel("Alias", { exact: true }).fill("prod");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await expect(page.getByRole("list", { name: "Aliases" })).toContainText("@prod");
  await rollout.getByLabel("Requests of which it gets a part").selectOption("that name @prod");
  await rollout.getByRole("switch", { name: /^Guard/ }).click();
  await rollout.getByLabel("Most that is allowed, in %").fill("two");
  await rollout.getByLabel("Fewest before it judges").fill("0");
  await rollout.getByRole("button", { name: "Start" }).click();
  await expect(rollout.getByRole("alert")).toHaveText([
    "More than 0 and less than 100.",
    "A whole number from 1 to 1,000,000.",
  ]);
  await rollout.getByLabel("Most that is allowed, in %").fill("2");
  await rollout.getByLabel("Fewest before it judges").fill("200");
  await rollout.getByRole("button", { name: "Start" }).click();
  await expect(rollout).toContainText("of the requests that name @prod");
  await expect(rollout).toContainText("when its error rate is above 2 %, after 200 or more");
  await rollout.getByRole("button", { name: "End", exact: true }).click();
  await dialog().getByLabel("Why").fill("seen enough");
  await dialog().getByRole("button", { name: "End the trial" }).click();
  await expect(rollout.getByRole("button", { name: "Start" })).toBeVisible();
  await at("/models/iris?tab=past&alias=prod");
  await expect(page.getByRole("status").filter({ hasText: "version" })).toContainText("Answered");
  await at("/models/iris?tab=past&alias=prod&at=2020-01-01T00:00:00");
  await expect(page.getByText(/There was no model of this name/)).toBeVisible();
});

test("settings are saved, and a number that is none is said", async () => {
  await at("/models/iris?tab=settings");
  await page.getByLabel("Rows computed together").fill("many");
  await expect(page.getByText("It has to be a whole number.")).toBeVisible();
  await page.getByLabel("Rows computed together").fill("16");
  await page.getByLabel("What is written down").selectOption("FULL");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Versions are run so from their next load on", { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Rows computed together")).toHaveValue("16");
});

test("an inference is traced to its bytes, and shows what was asked and answered", async () => {
  await ai.flower(server, [5.1, 3.5, 1.4, 0.2]);
  await at("/models/iris?tab=inferences");
  await page.getByRole("grid", { name: "Inferences" }).getByRole("link", { name: "iris" }).first().click();
  await expect(page).toHaveURL(/\/inferences\/[0-9a-f-]{36}$/);
  ids.inference = page.url().slice(-36);
  await expect(page.getByRole("region", { name: "Values of lengths" })).toContainText("5.1");
  await expect(page.getByRole("region", { name: "Values of probabilities" })).toContainText(/0\.\d/);
  const trace = page.getByRole("complementary", { name: "Trace" });
  await expect(trace).toContainText("iris, version 1");
  await expect(trace).toContainText("the CPU");
  await at("/models/iris?tab=metrics");
  await expect(page.getByRole("img", { name: /^Requests by minute/ })).toBeVisible();
});

test("every page is accessible in both themes, and fits a phone", async () => {
  const paths = [
    "/agents",
    "/agents?tab=runs",
    ...["", "?tab=configuration", "?tab=tools", "?tab=versions", "?tab=memory"].map((tab) => `/agents/support${tab}`),
    `/agent-runs/${ids.run}`,
    "/models",
    "/models?tab=drift",
    ...[
      "",
      "?tab=metrics",
      "?tab=inferences",
      "?tab=drift",
      "?tab=drift&compare=newest&last=20",
      "?tab=drift&watch=true",
      "?tab=settings",
      "?tab=past",
      "?add=true",
    ].map((tab) => `/models/iris${tab}`),
    `/inferences/${ids.inference}`,
    ...["", "?tab=spend", "?tab=routes", "?tab=providers", "?tab=limits", "?tab=prices"].map((tab) => `/gateway${tab}`),
    `/gateway/calls/${ids.call}`,
  ];
  test.setTimeout(paths.length * 3 * LOOK_MS);
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    for (const path of paths) {
      await at(path);
      await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
      await expect.soft(expectAccessible(page), path).resolves.toBeUndefined();
    }
  }
  await page.setViewportSize({ width: 375, height: 740 });
  for (const path of paths) {
    await at(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    const isWide = await page.locator("main").evaluate((main) => main.scrollWidth > main.clientWidth + 1);
    expect.soft(isWide, `${path} scrolls sideways on a phone`).toBe(false);
  }
});
