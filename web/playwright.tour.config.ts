import base from "./playwright.config";

/** Takes the pictures of docs/tour.md: see `make screenshots`. */
export default {
  ...base,
  testDir: "tests/tour",
  workers: 1,
  use: {
    ...base.use,
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    colorScheme: "light" as const,
    contextOptions: { reducedMotion: "reduce" as const },
  },
};
