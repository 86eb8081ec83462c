import base from "./playwright.config";

/** Measures instead of testing: see `make web-budget`. */
export default {
  ...base,
  testDir: "tests/budget",
  workers: 1,
  // Pictures of each step would be measured as well.
  use: { ...base.use, trace: "off" as const },
};
