// `npm run owner-test [-- --rounds N --seed S --workers N]`: random interleavings of all that an owner does, on real processes.
import { parseArgs } from "node:util";
import { ownerRun } from "./owner-run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
  },
});
const plan = { rounds: Number(values.rounds), seed: Number(values.seed), workers: Number(values.workers) };
const result = await ownerRun(plan, (line) => console.error(line));
console.log(JSON.stringify(result));
const { stuck, lost, differingViews, numbersReused } = result;
process.exit(stuck + lost + differingViews + numbersReused === 0 ? 0 : 1);
