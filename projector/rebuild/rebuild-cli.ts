// `npm run rebuild [-- --from kafka|DIR] [--verify] [--switch|--no-switch]`, or `-- --lead ID`, `-- --workspace ID`.
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 another rebuild is running, 4 the check found differences.
import { parseArgs } from "node:util";
import { type Config, readConfig } from "../../shared/config.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import { generationFile, viewFile } from "../../shared/generation.ts";
import { createLog } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import { openHistorySource } from "../source/open-source.ts";
import { openStore, type Store } from "../store/store.ts";
import { buildGeneration, removeDatabase, renameDatabase } from "./build-generation.ts";
import { newDeadLetters } from "./check.ts";
import { differences, diffLines } from "./compare.ts";
import { Busy, exclusively } from "./exclusively.ts";
import { buildingFile, nextGeneration, switchTo } from "./generations.ts";
import { createProgress } from "./progress.ts";
import { recordedProgress, removeProgress } from "./progress-file.ts";
import { refoldLeads } from "./refold.ts";

const USAGE =
  "usage: npm run rebuild [-- --from kafka|DIR] [--verify] [--switch|--no-switch]\n" +
  "       npm run rebuild -- --lead ID | --workspace ID\n" +
  "       npm run verify";
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
        lead: { type: "string" },
        workspace: { type: "string" },
      },
    });
    const config = readConfig(process.env);
    if (values.from === "kafka" && !config.kafka) throw new Error("--from kafka needs KAFKA_BROKERS");
    const archive = values.from === "kafka" ? undefined : values.from;
    const part = values.lead ?? values.workspace;
    return await exclusively(config.databaseDir, () =>
      part === undefined
        ? rebuild(config, {
            archive,
            verify: values.verify,
            switches: values.switch ?? !values.verify,
          }).finally(() => removeProgress(config.databaseDir))
        : rebuildPart(config, values.lead, values.workspace),
    );
  } catch (error) {
    console.error((error as Error).message);
    if (error instanceof Busy) return 3;
    if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS")) {
      console.error(USAGE);
      return 2;
    }
    const full = ["SQLITE_FULL", "ENOSPC"].includes((error as { code?: string }).code ?? "");
    console.error(
      full ? "The disk is full: free some, then start again. The serving views are untouched." : "",
    );
    return 1;
  }
}

interface Wanted {
  readonly archive: string | undefined;
  readonly verify: boolean;
  readonly switches: boolean;
}

async function rebuild(config: Config, { archive, verify, switches }: Wanted): Promise<number> {
  const { databaseDir } = config;
  const file = buildingFile(databaseDir);
  const serving = openStore(viewFile(config));
  const log = createLog("projector", "warn");
  const growing = await buildGeneration({
    file,
    serving,
    archive,
    source: openHistorySource(config, log),
    decode: createDecoder(config),
    progress: recordedProgress(databaseDir, createProgress),
  });
  try {
    if (verify) {
      const differing = await compareAtRest(serving, growing.catchUp, growing.store, viewFile(config));
      if (!switches) return differing === 0 ? 0 : 4;
    }
    const letters = newDeadLetters(growing.store, serving);
    if (letters.length > 0 && switches && !process.argv.includes("--switch")) {
      console.error(
        `${letters.length} records can't be folded that the serving views hold, first ${letters[0]}.`,
      );
      console.error("Nothing was switched. Look into them, or accept that with --switch.");
      return 4;
    }
    const number = nextGeneration(databaseDir);
    const place = () => renameDatabase(file, generationFile(databaseDir, number));
    if (switches) {
      await switchTo(databaseDir, number, growing, place);
      console.log(`generation ${number} serves; the one before is kept (npm run generations)`);
    } else {
      await growing.catchUp();
      await growing.close();
      place();
      console.log(`generation ${number} is ready; npm run generations -- switch ${number} makes it serve`);
    }
    return 0;
  } finally {
    await growing.close().catch(() => undefined);
    serving.close();
    removeDatabase(file);
  }
}

/** Compares both at the same positions: the serving database is locked against commits for that moment. */
async function compareAtRest(
  serving: Store,
  catchUp: () => Promise<void>,
  fresh: Store,
  file: string,
): Promise<number> {
  await catchUp();
  let found = { count: 0, first: [] as ReturnType<typeof differences>["first"] };
  await serving.transactionAsync(async () => {
    await catchUp();
    found = differences(fresh.db, file, SHOWN);
  });
  for (const { leadId, kind, mine, theirs } of found.first) {
    console.log(`${leadId}: ${kind}`);
    if (mine === null || theirs === null) continue;
    for (const line of diffLines(parseJson(mine), parseJson(theirs))) console.log(`  ${line}`);
  }
  const views = fresh.db.prepare<[], number>("SELECT count(*) FROM lead_view").pluck().get();
  console.log(`${views} views from a fresh fold, ${found.count} differ from the serving ones`);
  return found.count;
}

/** Folds some leads again, in place. */
async function rebuildPart(
  config: Config,
  lead: string | undefined,
  workspace: string | undefined,
): Promise<number> {
  const store = openStore(viewFile(config));
  try {
    const leadIds = new Set(lead === undefined ? store.leads.ofWorkspace(workspace as string) : [lead]);
    const source = openHistorySource(config, createLog("projector", "warn"));
    const { folded, failed } = await refoldLeads(store, source, createDecoder(config), leadIds);
    console.log(
      `${leadIds.size} leads folded again from ${folded} records; ${failed.length} records can't be folded`,
    );
    return 0;
  } finally {
    store.close();
  }
}
