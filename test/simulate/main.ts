// `npm run simulate -- [--seed S] [--seeds N] [--steps N] [--minutes M] [--twice] [--first] [--no-shrink]`
import { parseArgs } from "node:util";
import "./hooks.ts";
import { watchMemory } from "./memory.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    steps: { type: "string" },
    minutes: { type: "string" },
    "steps-a-seed": { type: "string" },
    twice: { type: "boolean", default: false },
    first: { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
  },
});
watchMemory();
const { runSeeds } = await import("./seeds.ts");
const result = await runSeeds({
  first: Number(values.seed ?? 1),
  seeds: values.seeds === undefined ? Number.POSITIVE_INFINITY : Number(values.seeds),
  steps: values.steps === undefined ? Number.POSITIVE_INFINITY : Number(values.steps),
  minutes: values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes),
  stepsASeed: Number(values["steps-a-seed"] ?? 400),
  twice: values.twice,
  untilFirst: values.first,
  shrinks: !values["no-shrink"],
  say: (line) => console.log(line),
});
console.log(JSON.stringify(result));
process.exit(result.violations === 0 ? 0 : 1);
