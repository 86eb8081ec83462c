import { describe, expect, it } from "vitest";
import { placeOf } from "./places";

describe("placeOf", () => {
  it("knows the place of a page beneath it, and of pages that have addresses of their own", () => {
    expect(placeOf("/")?.label).toBe("Home");
    expect(placeOf("/workflows/0192/versions")?.label).toBe("Workflows");
    expect(placeOf("/data-tables/0192")?.label).toBe("Data tables");
    expect(placeOf("/agent-runs/0192")?.label).toBe("Agents");
    expect(placeOf("/inferences/0192")?.label).toBe("Models");
    expect(placeOf("/evaluation-sets/support~questions")?.label).toBe("Evaluation sets");
    expect(placeOf("/evaluations/compare")?.label).toBe("Evaluation sets");
    expect(placeOf("/compare")?.label).toBe("Executions");
  });

  it("takes no address for another that begins like it", () => {
    expect(placeOf("/agents-of-others")).toBeUndefined();
    expect(placeOf("/nowhere")).toBeUndefined();
  });
});
