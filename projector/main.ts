import { mkdirSync } from "node:fs";
import { readConfig, viewFile } from "../shared/config.ts";
import { createLog } from "../shared/log.ts";
import { createDecoder } from "./decode/decode.ts";
import { createProjection } from "./projection.ts";
import { publishDeadLetters } from "./publish/dead-letter-topic.ts";
import { runProjection } from "./run.ts";
import { openSource } from "./source/open-source.ts";
import { startCheckpointer } from "./store/checkpointer.ts";
import { openStore } from "./store/store.ts";

const config = readConfig(process.env);
const log = createLog("projector", config.logLevel);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

mkdirSync(config.databaseDir, { recursive: true });
const store = openStore(viewFile(config));
const stopCheckpointer = startCheckpointer(viewFile(config));
try {
  const projection = createProjection(store, createDecoder(config));
  const { kafka, eventLogDir } = config;
  log.info(
    { eventLog: kafka?.brokers ?? eventLogDir, positions: projection.positions().length },
    "projector started",
  );
  const publishing = kafka && publishDeadLetters(kafka, store, log, stopping.signal);
  await runProjection({
    source: openSource(config, log),
    projection,
    log,
    signal: stopping.signal,
  });
  await publishing;
  log.info("projector stopped");
} catch (error) {
  log.fatal({ error: (error as Error).message }, "projector stopped");
  process.exitCode = 1;
} finally {
  stopping.abort();
  await stopCheckpointer();
  store.close();
}
