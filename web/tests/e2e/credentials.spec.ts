import { changed } from "../support/change";
import { row } from "../support/lists";
import { expect, expectAccessible, test } from "../support/test";

const LONG = "Sheets of the northern branch: orders";

test("a long name of a credential that is not connected is read whole, on a desk and on a phone", async ({
  owner,
  server,
}) => {
  await changed(server, "saveCredential", "SaveCredentialInput", {
    name: LONG,
    type: "oAuth2Api",
    data: {
      grantType: "authorizationCode",
      authUrl: "https://provider.example/authorize",
      accessTokenUrl: "https://provider.example/token",
      clientId: "timeloom",
      clientSecret: "a secret",
    },
  });
  for (const width of [1280, 390]) {
    await owner.setViewportSize({ width, height: 800 });
    await owner.goto(`${server.url}/admin/credentials`);
    const own = row(owner, "Credentials", LONG);
    await expect(own).toContainText("not connected");
    const name = own.getByText(LONG, { exact: true });
    await expect(name).toBeInViewport({ ratio: 1 });
    const isCut = (element: Element) =>
      element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1;
    expect(await name.evaluate(isCut), `cut at ${width} pixels`).toBe(false);
    const [line, words] = [await own.boundingBox(), await name.boundingBox()];
    expect((words?.y ?? 0) + (words?.height ?? 0)).toBeLessThanOrEqual((line?.y ?? 0) + (line?.height ?? 0));
    await expectAccessible(owner);
  }
});
