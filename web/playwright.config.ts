import { defineConfig, devices } from "@playwright/test";

const browser = {
  ...devices["Desktop Chrome"],
  launchOptions: {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // The sandbox of Chromium does not start for root.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  },
};

export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results",
  // Each worker starts a server of its own.
  workers: Number(process.env.WORKERS ?? 1),
  fullyParallel: false,
  timeout: 90_000,
  expect: { timeout: 30_000 },
  // Both print what failed once more at the end, where somebody looks first.
  reporter: process.env.CI === undefined ? "list" : "dot",
  use: { ...browser, actionTimeout: 30_000, trace: "retain-on-failure" },
  projects: [{ name: "chromium" }],
});
