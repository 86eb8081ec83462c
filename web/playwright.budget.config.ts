import base from "./playwright.config";

/** Measures instead of testing: see `make web-budget`. */
export default { ...base, testDir: "tests/budget", workers: 1 };
