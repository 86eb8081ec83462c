import { describe, expect, it } from "vitest";
import { CHUNKS, pathAt } from "./chunks";
import { router } from "./routes";

describe("pathAt", () => {
  it("finds the page of an address, with or without something in it", () => {
    expect(pathAt("/")).toBe("/");
    expect(pathAt("/workflows")).toBe("/workflows");
    expect(pathAt("/workflows/")).toBe("/workflows");
    expect(pathAt("/workflows/0192")).toBe("/workflows/$workflowId");
    expect(pathAt("/workflows/0192/versions")).toBe("/workflows/$workflowId/versions");
    expect(pathAt("/evaluations/compare")).toBe("/evaluations/compare");
    expect(pathAt("/evaluations/0192")).toBe("/evaluations/$evaluationId");
    expect(pathAt("/nowhere")).toBeUndefined();
    expect(pathAt("/workflows/0192/nothing")).toBeUndefined();
  });

  it("knows every page that the app has, but for addresses that lead on to another one", () => {
    const paths = Object.keys(router.routesByPath).filter((path) => path !== "/admin");
    expect(paths.sort()).toEqual(Object.keys(CHUNKS).sort());
  });
});
