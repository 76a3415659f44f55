// `npm run crash-test [-- --kills N --events N --seed S --workers N]`: the full run; a small one is in the test suite.
import { parseArgs } from "node:util";
import { table } from "../../bench/table.ts";
import { crashRun } from "./crash-run.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    events: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
  },
});
const started = performance.now();
const result = await crashRun({
  kills: Number(values.kills),
  events: Number(values.events),
  seed: Number(values.seed),
  workers: Number(values.workers),
  brokerEvery: 15,
  onProgress: (line) => console.error(line),
});
const minutes = (performance.now() - started) / 60_000;
table(
  ["what", "count"],
  [...Object.entries(result).map(([name, count]) => [name, String(count)]), ["minutes", minutes.toFixed(1)]],
);
console.log(JSON.stringify(result));
if (result.lost + result.doubled + result.differingViews > 0) process.exitCode = 1;
