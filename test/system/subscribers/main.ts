// `npm run subscribers-test [-- --kills N --leads N --seed S]`: the full run; a small one is in the test suite.
import { parseArgs } from "node:util";
import { table } from "../../bench/table.ts";
import { subscribersRun } from "./subscribers-run.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    leads: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
  },
});
const result = await subscribersRun({
  kills: Number(values.kills),
  leads: Number(values.leads),
  seed: Number(values.seed),
  onProgress: (line) => console.error(line),
});
table(
  ["what", "count"],
  Object.entries(result).map(([name, count]) => [name, String(count)]),
);
console.log(JSON.stringify(result));
process.exit(result.topicDiffers + result.streamDiffers + result.webhooksDiffer > 0 ? 1 : 0);
