// What the page may take of the main thread. Not a part of the tests: a busy machine is slow, not wrong.
import { expect, test } from "../support/test";
import { MainThread } from "./main-thread";
import { atMost, median } from "./rows";

test("panning 500 nodes", async ({ owner, server }) => {
  test.slow();
  const id = await server.importWorkflow(grid(500));
  await owner.goto(`${server.url}/workflows/${id}`);
  await expect(owner.locator(".react-flow__node").first()).toBeVisible();
  const canvas = await owner.locator(".react-flow__pane").boundingBox();
  // Above all nodes: there nothing but the canvas is taken hold of.
  const [x, y] = [(canvas?.x ?? 0) + 500, (canvas?.y ?? 0) + 60];
  const thread = await MainThread.of(owner, ["ScriptDuration", "LayoutDuration", "RecalcStyleDuration"]);
  await owner.mouse.move(x, y);
  await owner.mouse.down();
  const frames: number[] = [];
  for (let step = 1; step <= 60; step += 1) {
    frames.push(await thread.during(() => owner.mouse.move(x - step * 4, y + step)));
  }
  await owner.mouse.up();
  atMost("panning 500 nodes: scripts, styles and layout a frame, median", median(frames), 8, "ms");
});

function grid(count: number): unknown {
  const names = Array.from({ length: count }, (_, place) => (place === 0 ? "Start" : `Node ${place}`));
  return {
    name: "Large",
    nodes: names.map((name, place) => ({
      id: name,
      name,
      type: place === 0 ? "n8n-nodes-base.manualTrigger" : "n8n-nodes-base.noOp",
      typeVersion: 1,
      position: [(place % 25) * 220, Math.floor(place / 25) * 100],
      parameters: {},
    })),
    connections: Object.fromEntries(
      names.slice(0, -1).map((name, place) => [name, { main: [[{ node: names[place + 1], type: "main", index: 0 }]] }]),
    ),
  };
}
