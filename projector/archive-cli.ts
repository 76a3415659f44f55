// `npm run archive -- --out DIR`: dumps the event topics to the file log's format.
import { parseArgs } from "node:util";
import { readConfig } from "../shared/config.ts";
import { createLog } from "../shared/log.ts";
import { archive } from "./rebuild/archive.ts";
import { createProgress } from "./rebuild/progress.ts";
import { endPositions } from "./source/kafka/end-offsets.ts";
import { openHistorySource } from "./source/open-source.ts";

const { values } = parseArgs({ options: { out: { type: "string" } } });
const config = readConfig(process.env);

if (!values.out || !config.kafka) {
  console.error("usage: KAFKA_BROKERS=host:port npm run archive -- --out DIR");
  process.exitCode = 2;
} else {
  const log = createLog("projector", "warn");
  try {
    const ends = await endPositions(config.kafka, log);
    const progress = createProgress(
      "archive",
      ends.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
    );
    const records = await archive(openHistorySource(config, log), ends, values.out, progress.update);
    progress.finish();
    console.log(`${records} records below ${values.out}/`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
