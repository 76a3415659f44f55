// `npm run shards-test [-- --rounds N --leads N]`: owners, standbys, forwarding nodes and the broker killed under load; a
// small one, without the broker's restart, is in the test suite.
import { parseArgs } from "node:util";
import { table } from "../../bench/table.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { testConfig } from "../../harness/kafka.ts";
import { shardsRun } from "./shards-run.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, leads: { type: "string", default: "200" } },
});
const broker = await startHostBroker();
const started = performance.now();
try {
  const result = await shardsRun({
    config: testConfig(broker.brokers),
    broker,
    rounds: Number(values.rounds),
    leads: Number(values.leads),
    onProgress: (line) => console.error(`${((performance.now() - started) / 1_000).toFixed(1)} s  ${line}`),
  });
  table(
    ["what", "count"],
    Object.entries(result).map(([name, count]) => [name, String(count)]),
  );
  console.log(JSON.stringify(result));
  if (result.failedRequests + result.numbersGoneBack + result.differingViews > 0) process.exitCode = 1;
} finally {
  await broker.stop();
}
