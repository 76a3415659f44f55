// Shards under load, with real processes: what fails, and what moves. `npm run shards-test` and `move-test` run longer.
import { describe, expect, inject, test } from "vitest";
import { testConfig } from "../../harness/kafka.ts";
import { moveRun } from "./move-run.ts";
import { shardsRun } from "./shards-run.ts";

describe.skipIf(inject("brokers") === "")("two shards", () => {
  test("an owner, a standby and a forwarding node are killed: every node answers as an unsharded fold", async () => {
    const lines: string[] = [];
    const onProgress = (line: string) => lines.push(line);
    const result = await shardsRun({ config: testConfig(), rounds: 1, leads: 40, onProgress });
    expect(result, lines.join("\n")).toMatchObject({
      failedRequests: 0,
      numbersGoneBack: 0,
      differingViews: 0,
    });
    expect(Math.min(result.reads, result.written)).toBeGreaterThan(20);
  }, 180_000);

  test("from one shard to two and back under load: no failed request, nothing goes back", async () => {
    const result = await moveRun({ config: testConfig(), leads: 20, loadMs: 300, writeEveryMs: 50 });
    expect(result).toMatchObject({
      failedRequests: 0,
      numbersGoneBack: 0,
      textsGoneBack: 0,
      differingViews: 0,
    });
    expect(Math.min(result.reads, result.written)).toBeGreaterThan(20);
  }, 180_000);
});
