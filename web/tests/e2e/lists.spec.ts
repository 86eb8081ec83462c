import { type World, filled, open } from "../support/lists";
import { LOOK_MS, expect, expectAccessible, test } from "../support/test";

let world: World;

test.beforeAll(async ({ server }) => {
  world = await filled(server);
});

test("every page is accessible in both themes, filled, and on a phone", async ({ owner, server }) => {
  const { executions } = await server.ask<{ executions: { nodes: { id: string }[] } }>(
    "query($id: UUID!) { executions(workflowId: $id, first: 1) { nodes { id } } }",
    { id: world.orders },
  );
  const paths = [
    "/",
    "/workflows",
    "/workflows?open=new",
    `/workflows/${world.versions}/versions`,
    `/workflows/${world.versions}/versions?left=1&right=2`,
    `/workflows/${world.versions}/versions?show=definition`,
    `/executions?details=${executions.nodes[0]?.id ?? ""}`,
    "/executions?fact=order&value=7&status=FAILED",
    "/executions?group=cause&unresolved=true",
    "/executions?group=workflow",
    "/executions?query=orders-1",
  ];
  test.setTimeout(paths.length * 3 * LOOK_MS);
  for (const theme of ["light", "dark"] as const) {
    await owner.emulateMedia({ colorScheme: theme });
    for (const path of paths) {
      await open(owner, server, path);
      await expect(owner.locator("html")).toHaveAttribute("data-theme", theme);
      await expectAccessible(owner);
    }
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
