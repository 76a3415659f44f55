// `npm run rebuild`, `npm run verify`. Exit codes: 0 done, 1 failed, 2 wrong usage, 4 the check found differences.
import { parseArgs } from "node:util";
import { type Config, readConfig } from "../../shared/config.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import { ask } from "../owner/ask.ts";
import { showProgress } from "../owner/show-progress.ts";
import { createPhases } from "./progress.ts";
import { verify } from "./verify.ts";
import { diffLines } from "./view-differences.ts";

const USAGE = `usage: npm run rebuild [-- --from DIR] [--switch|--no-switch] [--accept-loss]
       npm run rebuild -- --lead ID | --workspace ID
       npm run verify [-- --from DIR]
--from DIR      folds an archive first, then the log from where the archive ends
--no-switch     keeps the new generation ready (npm run generations -- switch N)
--switch        switches though records can't be folded that the serving views hold
--accept-loss   switches though the log holds less than the serving views were folded from`;
const SHOWN = 10;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      allowNegative: true,
      options: {
        from: { type: "string" },
        verify: { type: "boolean", default: false },
        switch: { type: "boolean" },
        "accept-loss": { type: "boolean", default: false },
        lead: { type: "string" },
        workspace: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const config = readConfig(process.env);
    const { lead, workspace, from } = values;
    if (values.verify) return await check(config, from);
    if (lead !== undefined || workspace !== undefined) {
      const args = lead !== undefined ? { lead } : { workspace: workspace as string };
      const { leads, folded, failed } = await ask(config, "refold", args);
      console.log(`${leads} leads folded again from ${folded} records; ${failed} records can't be folded`);
      return 0;
    }
    const { signal, onProgress, finish } = showProgress();
    const { generation, serves } = await ask(
      config,
      "rebuild",
      {
        ...(from === undefined ? {} : { from }),
        switch: values.switch ?? true,
        acceptLoss: values["accept-loss"],
        acceptDeadLetters: values.switch ?? false,
      },
      { signal, onProgress },
    ).finally(finish);
    console.log(
      serves
        ? `generation ${generation} serves; the one before is kept (npm run generations)`
        : `generation ${generation} is ready; npm run generations -- switch ${generation} makes it serve`,
    );
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    if (!(error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS")) return 1;
    console.error(USAGE);
    return 2;
  }
}

async function check(config: Config, archive: string | undefined): Promise<number> {
  const { update, finish } = createPhases();
  const { views, differing, first } = await verify(config, archive, update, SHOWN);
  finish();
  for (const { leadId, kind, fresh, serving } of first) {
    console.log(`${leadId}: ${kind}`);
    if (fresh === null || serving === null) continue;
    for (const line of diffLines(parseJson(fresh), parseJson(serving))) console.log(`  ${line}`);
  }
  console.log(`${views} views from a fresh fold, ${differing} differ from the serving ones`);
  return differing === 0 ? 0 : 4;
}
