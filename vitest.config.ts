import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/harness/broker/global-setup.ts"],
    reporters: ["default", "json"],
    outputFile: { json: ".test-output/report.json" },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
