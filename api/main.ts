import cluster from "node:cluster";
import { mkdirSync } from "node:fs";
import { keysFile, readConfig } from "../shared/config.ts";
import { openKeys } from "../shared/keys.ts";
import { createLog } from "../shared/log.ts";
import { answerMetricsOfAll } from "./cluster-metrics.ts";
import { CANNOT_SERVE, serve } from "./serve.ts";

const config = readConfig(process.env);
const log = createLog("api", config.logLevel);

if (cluster.isPrimary) {
  mkdirSync(config.databaseDir, { recursive: true });
  openKeys(keysFile(config)).close();
}

if (!cluster.isPrimary || config.apiWorkers === 1) {
  const stop = await serve(config, log);
  const end = async (drainMs: number) => {
    await stop?.(drainMs);
    // A worker lives as long as its channel to the primary.
    cluster.worker?.disconnect();
  };
  // Ctrl-C is somebody at a terminal, who does not want to wait.
  process.once("SIGINT", () => void end(0));
  process.once("SIGTERM", () => void end(config.apiDrainMs));
} else {
  answerMetricsOfAll();
  startWorkers(config.apiWorkers);
}

/** One process a worker, each with connections of its own and nothing to agree on; one that dies is replaced. */
function startWorkers(workers: number): void {
  let stopping = false;
  for (let worker = 0; worker < workers; worker++) cluster.fork();
  cluster.on("exit", (worker, code) => {
    if (stopping) return;
    if (code === CANNOT_SERVE) {
      // What keeps one from serving keeps all: said once, by it.
      stopping = true;
      process.exitCode = 1;
      for (const other of Object.values(cluster.workers ?? {})) other?.kill();
      return;
    }
    log.error({ pid: worker.process.pid, code }, "an api worker died; starting another one");
    cluster.fork();
  });
  const stop = () => {
    stopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
}
