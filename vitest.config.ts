import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/harness/broker/global-setup.ts"],
    reporters: ["default", "json"],
    outputFile: { json: ".test-output/report.json" },
    // Most tests wait for a broker or a process for half of their time: two files at once on two cores, not one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The programs that tests start are compiled once.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL(".test-output/compiled", import.meta.url)) },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
