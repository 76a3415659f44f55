// `npm run archive -- --out DIR`: dumps the event topics to the file log's format.
import { parseArgs } from "node:util";
import { readConfig } from "../shared/config.ts";
import { createLog } from "../shared/log.ts";
import { archive } from "./rebuild/archive.ts";
import { createProgress } from "./rebuild/progress.ts";
import { endPositions } from "./source/kafka/end-offsets.ts";
import { openWholeLog } from "./source/open-source.ts";

const USAGE = `usage: KAFKA_BROKERS=host:port npm run archive -- --out DIR

Writes all records of the event topics below DIR, byte for byte. A DIR that holds a part of them is gone on with.
Exit codes: 0 done, 1 failed (run it again to go on), 2 wrong usage.`;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: { out: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const config = readConfig(process.env);
    if (!values.out || !config.kafka) {
      console.error(USAGE);
      return 2;
    }
    const log = createLog("projector", "warn");
    const ends = await endPositions(config.kafka, log);
    const progress = createProgress(
      "archive",
      ends.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
    );
    const records = await archive(openWholeLog(config, log), values.out, progress.update);
    progress.finish();
    console.log(`${records} records written below ${values.out}/`);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}
