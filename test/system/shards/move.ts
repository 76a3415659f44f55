// `npm run move-test [-- --leads N --seconds S]`: from one shard to two and back, under load; a small one is in the test suite.
import { parseArgs } from "node:util";
import { table } from "../../bench/table.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { testConfig } from "../../harness/kafka.ts";
import { moveRun } from "./move-run.ts";

const { values } = parseArgs({
  options: { leads: { type: "string", default: "500" }, seconds: { type: "string", default: "10" } },
});
const broker = await startHostBroker();
const started = performance.now();
try {
  const result = await moveRun({
    config: testConfig(broker.brokers),
    leads: Number(values.leads),
    loadMs: Number(values.seconds) * 1_000,
    writeEveryMs: 50,
    onProgress: (line) => console.error(`${((performance.now() - started) / 1_000).toFixed(1)} s  ${line}`),
  });
  table(
    ["what", "count"],
    Object.entries(result).map(([name, count]) => [name, String(count)]),
  );
  console.log(JSON.stringify(result));
  if (result.failedRequests + result.numbersGoneBack + result.textsGoneBack + result.differingViews > 0)
    process.exitCode = 1;
} finally {
  await broker.stop();
}
