import type { Page } from "@playwright/test";
import { CASES, evaluated, evaluationSet, labelsWorkflow } from "../support/evaluations";
import { open, row } from "../support/lists";
import { newcomer } from "../support/people";
import { expect, expectAccessible, test } from "../support/test";
import { smallWorkflow } from "../support/workflows";

const dialog = (page: Page) => page.getByRole("dialog");

/** What stands in the first column of a grid that is named, but for its head. */
async function firstCells(page: Page, name: string): Promise<string[]> {
  return page
    .getByRole("grid", { name, exact: true })
    .locator("[role=row][data-index] > :nth-child(1)")
    .allTextContents();
}

test("a set is made, changed, tried on two versions of a workflow, and what got worse comes first", async ({
  owner,
  server,
}) => {
  test.setTimeout(180_000);
  const workflow = await labelsWorkflow(server, "Gives labels");
  await open(owner, server, "/evaluation-sets");
  await owner.keyboard.press("n");
  const form = dialog(owner);
  await form.getByLabel("Name", { exact: true }).fill("Support");
  await form.getByLabel("JSON Lines", { exact: true }).fill("no case");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(form.getByRole("alert")).toContainText("Line 1 is no JSON object");
  await form.getByLabel("JSON Lines", { exact: true }).fill(CASES);
  await expect(form.getByRole("status")).toHaveText("4 cases");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(form.getByRole("alert")).toContainText("is not a valid name");
  await form.getByLabel("Name", { exact: true }).fill("support/labels");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(owner).toHaveURL(/\/evaluation-sets\/support~labels$/);
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("support/labels");

  await row(owner, "Cases", "my parcel is late").click();
  await expect(dialog(owner)).toContainText("Case parcel");
  await expect(dialog(owner).getByRole("tree", { name: "expected value" })).toContainText("delivery");
  await owner.reload();
  await expect(dialog(owner)).toContainText("Case parcel");
  await owner.keyboard.press("Escape");
  await expect(dialog(owner)).toHaveCount(0);

  await owner.keyboard.press("n");
  await form.getByLabel("Input", { exact: true }).fill("late again");
  await form.getByRole("button", { name: "Make version 2" }).click();
  await expect(form.getByRole("alert")).toContainText("as JSON");
  await form.getByLabel("Input", { exact: true }).fill('{"text": "late again"}');
  await form.getByLabel("Id of the case (may be left out)").fill("again");
  await form.getByRole("button", { name: "Make version 2" }).click();
  await expect(owner.getByRole("tab", { name: "Cases (5)" })).toBeVisible();
  await owner.getByRole("checkbox", { name: "Choose case again" }).check();
  await owner.getByRole("button", { name: "Remove…" }).click();
  await form.getByRole("button", { name: "Make version 3" }).click();
  await expect(owner.getByRole("tab", { name: "Cases (4)" })).toBeVisible();
  await expect(row(owner, "Cases", "late again")).toHaveCount(0);

  await owner.keyboard.press("r");
  await form.getByRole("button", { name: "Try it" }).click();
  await expect(form.getByText("Choose the model that is tried.")).toBeVisible();
  await form.getByLabel("Try a", { exact: true }).selectOption("workflow");
  await form.getByRole("combobox", { name: "Workflow" }).fill("Gives labels");
  await form.getByRole("option", { name: "Gives labels" }).click();
  await form.getByLabel("Version", { exact: true }).selectOption("1");
  await form.getByRole("button", { name: "Try it" }).click();
  await expect(owner).toHaveURL(/\/evaluations\/[0-9a-f-]{36}$/);
  const before = new URL(owner.url()).pathname.split("/").at(-1) ?? "";
  // What comes of it shows by itself.
  await expect(owner.getByText("equal 0.750")).toBeVisible();
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("Gives labels@1");
  await expect.poll(() => firstCells(owner, "Cases")).toEqual(["3", "parcel", "came", "hello"]);
  await expect(row(owner, "Cases", "it is another value").getByRole("link", { name: "execution" })).toBeVisible();

  const after = await evaluated(server, "support/labels", workflow, 2);
  await open(owner, server, "/evaluation-sets/support~labels?tab=evaluations");
  await owner.getByRole("checkbox", { name: "Choose the evaluation of Gives labels@2" }).check();
  await owner.getByRole("checkbox", { name: "Choose the evaluation of Gives labels@1" }).check();
  await owner.getByRole("button", { name: "Compare" }).click();
  await expect(owner).toHaveURL(new RegExp(`before=${before}.*after=${after}`));
  const scorers = owner.getByRole("region", { name: "Scorers compared" });
  await expect(scorers.getByRole("row").last()).toContainText("−0.250");
  await expect.poll(() => firstCells(owner, "Cases that differ")).toEqual(["parcel", "came", "3"]);
  await owner.reload();
  await expect(row(owner, "Cases that differ", "parcel")).toContainText("worse");
  await expect(row(owner, "Cases that differ", /^3/)).toContainText("better");
  await owner.keyboard.press("x");
  await expect(scorers.getByRole("row").last()).toContainText("+0.250");
  await expect.poll(() => firstCells(owner, "Cases that differ")).toEqual(["3", "parcel", "came"]);

  await open(owner, server, "/evaluation-sets/support~labels?tab=scores");
  const versions = owner.getByRole("region", { name: "Scores by version" });
  await expect(versions.getByRole("row").nth(1)).toContainText("Gives labels@2");
  await expect(versions.getByRole("row").nth(1)).toContainText("−0.250");
  await versions.getByRole("link", { name: "compare with version 1" }).click();
  await expect(owner).toHaveURL(new RegExp(`before=${before}.*after=${after}`));
});

test("cases are made of what was recorded, and lead back to it", async ({ owner, server }) => {
  const workflow = await server.importWorkflow(smallWorkflow("Greets"));
  const execution = await server.execute(workflow);
  await open(owner, server, `/evaluation-sets?open=new&workflow=${workflow}`);
  const form = dialog(owner);
  await expect(form.getByRole("combobox", { name: "Workflow" })).toHaveValue("Greets");
  await form.getByLabel("Name", { exact: true }).fill("greets/recorded");
  await form.getByLabel("How many of the newest").fill("0");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(form.getByRole("alert")).toContainText("from 1 to 1,000");
  await form.getByLabel("How many of the newest").fill("10");
  await form.getByRole("button", { name: "Make it" }).click();
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("greets/recorded");
  await expect(row(owner, "Cases", "hello")).toHaveCount(1);
  await row(owner, "Cases", "hello").getByRole("link", { name: "an execution" }).click();
  await expect(owner).toHaveURL(new RegExp(execution));
});

test("evaluations of different versions of a set are not compared, and what is not there is told", async ({
  owner,
  server,
}) => {
  const workflow = await labelsWorkflow(server, "Labels twice");
  await evaluationSet(server, "twice");
  const first = await evaluated(server, "twice", workflow, 1);
  const more = '{"input": {"text": "late"}, "expected": {"label": "delivery"}}';
  const { addEvaluationSetVersion } = await server.ask<{ addEvaluationSetVersion: { errors: unknown[] } }>(
    "mutation($input: AddEvaluationSetVersionInput!) { addEvaluationSetVersion(input: $input) { errors { message } } }",
    { input: { name: "twice", keep: true, lines: more } },
  );
  expect(addEvaluationSetVersion.errors).toEqual([]);
  const second = await evaluated(server, "twice", workflow, 1);
  await open(owner, server, `/evaluations/compare?before=${first}&after=${second}`);
  await expect(owner.getByRole("heading", { name: "These cannot be compared" })).toBeVisible();
  await expect(owner.getByText("run both on the same version of the same set")).toBeVisible();
  const absent = "01920000-0000-7000-8000-000000000000";
  await open(owner, server, `/evaluations/compare?before=${first}&after=${absent}`);
  await expect(owner.getByText(`There is no evaluation ${absent}`)).toBeVisible();
  for (const path of ["/evaluation-sets/nobody", `/evaluations/${absent}`]) {
    await open(owner, server, path);
    await expect(owner.getByRole("heading", { name: /^There is no/ }), path).toBeVisible();
  }
});

test("a set is seen as it was, and nothing is changed then", async ({ owner, server }) => {
  await evaluationSet(server, "as-it-was");
  const { head } = await server.ask<{ head: { position: string } }>("{ head { position } }");
  await server.ask(
    "mutation($input: AddEvaluationSetVersionInput!) { addEvaluationSetVersion(input: $input) { position } }",
    { input: { name: "as-it-was", keep: true, without: ["hello"] } },
  );
  await open(owner, server, "/evaluation-sets/as-it-was");
  await expect(owner.getByRole("tab", { name: "Cases (3)" })).toBeVisible();
  await owner.getByRole("textbox", { name: "As of" }).fill(`#${head.position}`);
  await owner.keyboard.press("Enter");
  await expect(owner.getByRole("tab", { name: "Cases (4)" })).toBeVisible();
  await expect(row(owner, "Cases", "hello")).toHaveCount(1);
  await expect(owner.getByRole("button", { name: "Try a version" })).toHaveCount(0);
});

test("who may only look sees sets and changes none", async ({ server, browser }) => {
  await evaluationSet(server, "to-look-at");
  const { page, problems } = await newcomer(server, browser, "Ida", "VIEWER");
  await open(page, server, "/evaluation-sets");
  await expect(row(page, "Evaluation sets", "to-look-at")).toContainText("Questions of customers");
  await expect(page.getByRole("button", { name: "New" })).toHaveCount(0);
  await open(page, server, "/evaluation-sets/to-look-at");
  await expect(row(page, "Cases", "my parcel is late")).toHaveCount(1);
  await expect(page.getByRole("checkbox")).toHaveCount(0);
  for (const name of ["Add cases", "Try a version"]) await expect(page.getByRole("button", { name })).toHaveCount(0);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("the pages are accessible in both themes, with what they open, and on a phone", async ({ owner, server }) => {
  test.setTimeout(300_000);
  const workflow = await labelsWorkflow(server, "Looked at");
  await evaluationSet(server, "looked/at");
  const [before, after] = [
    await evaluated(server, "looked/at", workflow, 1),
    await evaluated(server, "looked/at", workflow, 2),
  ];
  const set = "/evaluation-sets/looked~at";
  const paths = [
    "/evaluation-sets",
    "/evaluation-sets?open=new",
    "/evaluation-sets?open=new&model=nothing",
    set,
    `${set}?case=parcel`,
    `${set}?open=add`,
    `${set}?open=run`,
    `${set}?tab=evaluations`,
    `${set}?tab=scores`,
    `/evaluations/${before}`,
    `/evaluations/compare?before=${before}&after=${after}`,
    `/evaluations/compare?after=${after}`,
  ];
  const look = async () => {
    for (const path of paths) {
      await open(owner, server, path);
      await expect(owner.locator(".animate-pulse")).toHaveCount(0);
      await expectAccessible(owner);
    }
  };
  for (const theme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme: theme });
    await look();
  }
  await owner.setViewportSize({ width: 375, height: 780 });
  for (const path of paths) {
    await open(owner, server, path);
    await expectAccessible(owner);
    const wide = await owner.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(wide, `${path} is wider than a phone`).toBeLessThanOrEqual(0);
  }
});
