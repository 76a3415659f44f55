// `npm run generate -- --leads N --seed S [--out DIR] [--partitions P] [--by lead|workspace] [--workspaces W] [--records R]`
import { existsSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { writeHistory } from "./write-history.ts";

const USAGE =
  "usage: npm run generate -- --leads N [--seed S] [--out DIR] [--partitions P] [--by lead|workspace] [--workspaces W] [--records R]";

const { values } = parseArgs({
  options: {
    leads: { type: "string" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: "generated" },
    partitions: { type: "string", default: "4" },
    by: { type: "string", default: "lead" },
    workspaces: { type: "string", default: "5" },
    records: { type: "string" },
  },
});
const number = (text: string | undefined) =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
const [leads, seed, partitions] = [number(values.leads), number(values.seed), number(values.partitions)];
const workspaces = number(values.workspaces);
const records = values.records === undefined ? undefined : number(values.records);

if (
  !(leads > 0 && partitions > 0 && seed >= 0 && workspaces > 0 && /^(lead|workspace)$/.test(values.by)) ||
  Number.isNaN(records ?? 0)
) {
  console.error(USAGE);
  process.exitCode = 2;
} else if (existsSync(values.out) && readdirSync(values.out).length > 0) {
  console.error(`${values.out} is not empty; choose another folder with --out`);
  process.exitCode = 1;
} else {
  const written = writeHistory(values.out, {
    leads,
    seed,
    partitions,
    workspaces,
    by: values.by as "lead" | "workspace",
    ...(records === undefined ? {} : { records }),
  });
  console.log(
    `${written.records} records, ${(written.bytes / 1e6).toFixed(1)} MB, in ${written.files.length} files below ${values.out}/`,
  );
}
