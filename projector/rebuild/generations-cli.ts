// `npm run generations -- list | switch N | remove N`. Exit codes as in rebuild-cli.ts.
import { parseArgs } from "node:util";
import { readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import { openHistorySource } from "../source/open-source.ts";
import { Busy, exclusively } from "./exclusively.ts";
import { listGenerations, removeGeneration, switchBack } from "./generations.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const [command = "list", argument] = positionals;
const config = readConfig(process.env);
const number = Number(argument);

try {
  if (command === "list" && argument === undefined) {
    for (const { number, serving, bytes, views } of listGenerations(config.databaseDir)) {
      console.log(
        `${number}  ${serving ? "serves" : "kept  "}  ${views} views  ${(bytes / 2 ** 20).toFixed(1)} MiB`,
      );
    }
  } else if (command === "switch" && number > 0) {
    const source = openHistorySource(config, createLog("projector", "warn"));
    await exclusively(config.databaseDir, () =>
      switchBack(config.databaseDir, number, source, createDecoder(config)),
    );
    console.log(`generation ${number} serves`);
  } else if (command === "remove" && number > 0) {
    await exclusively(config.databaseDir, async () => removeGeneration(config.databaseDir, number));
    console.log(`generation ${number} is removed`);
  } else {
    console.error("usage: npm run generations -- list | switch N | remove N");
    process.exitCode = 2;
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = error instanceof Busy ? 3 : 1;
}
