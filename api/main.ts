import cluster from "node:cluster";
import { mkdirSync } from "node:fs";
import { explain } from "../shared/command-line/explain.ts";
import { type Config, ConfigError, keysFile, readConfig } from "../shared/config.ts";
import { openKeys } from "../shared/keys.ts";
import { createLog, type Logger, warnOfMistypedSettings } from "../shared/log.ts";
import { createMetricsOfWorkers } from "./cluster-metrics.ts";
import { answerWorkers } from "./primary.ts";
import { createQuotasOfWorkers } from "./quotas.ts";
import { CannotListen, serve } from "./serve.ts";
import { createStreamCount } from "./stream-limit.ts";
import { CANNOT_LISTEN, startWorkers } from "./workers.ts";

let log = createLog("api", "info");
try {
  const config = readConfig(process.env);
  log = createLog("api", config.logLevel);
  if (cluster.isPrimary) {
    warnOfMistypedSettings(log);
    mkdirSync(config.databaseDir, { recursive: true, mode: 0o700 });
    openKeys(keysFile(config)).close();
  }
  if (cluster.isWorker || config.apiWorkers === 1) await serveHere(config, log);
  else serveByWorkers(config, log);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  log.fatal({ error: explain(error) }, error instanceof ConfigError ? "bad settings" : "api can't start");
  // A worker that is left without its primary would end with 0.
  process.exit(error instanceof CannotListen ? CANNOT_LISTEN : 1);
}

async function serveHere(config: Config, log: Logger): Promise<void> {
  const stop = await serve(config, log);
  const end = async (drainMs: number) => {
    await stop(drainMs);
    // A worker lives as long as its channel to the primary.
    cluster.worker?.disconnect();
  };
  // Ctrl-C is somebody at a terminal, who does not want to wait.
  process.once("SIGINT", () => void end(0));
  process.once("SIGTERM", () => void end(config.apiDrainMs));
}

function serveByWorkers(config: Config, log: Logger): void {
  const metrics = createMetricsOfWorkers();
  const grant = createQuotasOfWorkers(config.ratePerMinute, config.apiWorkers);
  const countStream = createStreamCount(config.streamsPerKey);
  answerWorkers((question, worker) => {
    if (question.kind === "metrics") return metrics();
    return question.kind === "stream" ? countStream(question, worker) : grant(question);
  });
  startWorkers(config.apiWorkers, log);
}
