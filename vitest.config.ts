import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/harness/broker/global-setup.ts"],
    reporters: ["default", "json"],
    outputFile: { json: ".test-output/report.json" },
    // A shared machine can hold a process or a broker up beyond any deadline; locally every failure is shown at once.
    retry: process.env.CI === "true" ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
