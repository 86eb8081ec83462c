import type { Browser, Page } from "@playwright/test";
import { changed } from "./change";
import type { Server } from "./server";
import { watch } from "./test";

/** Somebody in a browser of their own, with what that browser complained of. */
export interface Person {
  page: Page;
  problems: string[];
}

/** Makes an account with a role, and lets its owner in by a link in a browser of their own. */
export async function newcomer(server: Server, browser: Browser, name: string, role: string): Promise<Person> {
  // Other tests of the same server may have somebody of that name.
  const email = `${name.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}@example.org`;
  const { accountId } = await changed<{ accountId: string }>(
    server,
    "createAccount",
    "CreateAccountInput",
    { kind: "USER", name, email, roles: [role], reason: "joins the team" },
    "accountId",
  );
  const { token } = await changed<{ token: string }>(
    server,
    "makeSignInLink",
    "MakeSignInLinkInput",
    { accountId, reason: "first day" },
    "token",
  );
  const page = await (await browser.newContext()).newPage();
  const problems = watch(page);
  await page.goto(`${server.url}/sign-in/link?token=${token}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Not now" }).click();
  return { page, problems };
}
