import { changed } from "../support/change";
import { expect, test } from "../support/test";

const ABSENT = "01920000-0000-7000-8000-000000000000";

test("the navigation marks the place to which a page belongs", async ({ owner, server }) => {
  const pages = owner.getByRole("navigation", { name: "Pages", exact: true });
  for (const [path, place] of [
    [`/agent-runs/${ABSENT}`, "Agents"],
    [`/inferences/${ABSENT}`, "Models"],
    ["/compare", "Executions"],
    [`/data-tables/${ABSENT}`, "Data tables"],
    ["/evaluation-sets/nothing", "Evaluation sets"],
    ["/evaluations/compare", "Evaluation sets"],
    [`/gateway/calls/${ABSENT}`, "Gateway"],
  ] as const) {
    await owner.goto(server.url + path);
    await expect(pages.locator("[aria-current=page]"), path).toHaveText(place);
  }
});

test("a model called as an address of the server is shown all the same, after a reload as well", async ({
  owner,
  server,
}) => {
  await changed(server, "registerModel", "RegisterInput", { name: "uploads", description: "Reads what was sent." });
  await owner.goto(`${server.url}/models`);
  await owner.getByRole("link", { name: "uploads", exact: true }).click();
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("uploads");
  await owner.reload();
  await expect(owner.getByRole("heading", { level: 1 })).toContainText("uploads");
  await expect(owner.getByText("Reads what was sent.")).toBeVisible();
});
