// `npm run generations -- list | switch N | remove N`. Exit codes as in rebuild-cli.ts.
import { parseArgs } from "node:util";
import { readConfig } from "../../shared/config.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";
import { ask } from "../owner/ask.ts";
import { showProgress } from "../owner/show-progress.ts";
import { listGenerations } from "./generations.ts";

const USAGE = "usage: npm run generations -- list | switch N | remove N";

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { help: { type: "boolean", short: "h", default: false } },
    });
    const [command = "list", argument] = positionals;
    const config = readConfig(process.env);
    const generation = Number(argument);
    if (values.help) {
      console.log(USAGE);
    } else if (command === "list" && argument === undefined) {
      list(config.databaseDir);
    } else if (command === "switch" && generation > 0) {
      const { signal, onProgress, finish } = showProgress();
      await ask(config, "switch", { generation }, { signal, onProgress }).finally(finish);
      console.log(`generation ${generation} serves`);
    } else if (command === "remove" && generation > 0) {
      await ask(config, "remove", { generation });
      console.log(`generation ${generation} is removed`);
    } else {
      console.error(USAGE);
      return 2;
    }
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}

function list(databaseDir: string): void {
  const generations = listGenerations(databaseDir);
  if (generations.length === 0)
    throw new Error(`there is no view database in ${databaseDir}; set DATABASE_DIR to the projector's`);
  for (const { number, serving, views, bytes, schemaVersion } of generations) {
    const what =
      views === null ? `schema version ${schemaVersion}, not ${DATABASE_VERSION}` : `${views} views`;
    console.log(`${number}  ${serving ? "serves" : "kept  "}  ${what}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  }
}
