import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { changed } from "../support/change";
import { PROGRAM, type Server } from "../support/server";
import { expect, expectAccessible, test } from "../support/test";

const run = promisify(execFile);

/** A key of the owner, as whoever backs up shows one. */
async function keyOf(server: Server): Promise<string> {
  const { accounts } = await server.ask<{ accounts: { nodes: { id: string; email: string | null }[] } }>(
    "{ accounts(first: 100) { nodes { id email } } }",
  );
  const accountId = accounts.nodes.find((one) => one.email === "owner@localhost")?.id;
  const made = await changed<{ token: string }>(
    server,
    "makeApiKey",
    "MakeApiKeyInput",
    { accountId, name: "nightly", reason: "backs up every night" },
    "token",
  );
  return made.token;
}

test("a backup that the program made is on the page, and without any the page says how", async ({ owner, server }) => {
  await owner.goto(`${server.url}/admin/backups`);
  await expect(owner.getByRole("heading", { name: "No backup is known" })).toBeVisible();
  await expect(owner.getByRole("region", { name: "How to" })).toContainText(`--server ${server.url}`);
  await expectAccessible(owner);

  const folder = await mkdtemp(join(tmpdir(), "timeloom-backup-"));
  const place = join(folder, "kept");
  const env = { ...process.env, TIMELOOM_TOKEN: await keyOf(server) };
  const { stderr } = await run(PROGRAM, ["log", "backup", place, "--server", server.url], { env });
  expect(stderr).not.toContain("was not told");
  await owner.reload();
  const table = owner.getByRole("region", { name: "Backups" });
  await expect(table.getByRole("row").filter({ hasText: place })).toContainText("Owner");
  await expect(owner.getByRole("region", { name: "Made" })).toContainText("came after the newest");
  await expectAccessible(owner);
  await owner.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(owner);
  await rm(folder, { recursive: true, force: true });
});
