import { mkdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type Config, readConfig } from "../shared/config.ts";
import { FOLLOWED_WITHIN_MS, followServing, viewFile } from "../shared/generation.ts";
import { createLog, type Logger } from "../shared/log.ts";
import { createDecoder } from "./decode/decode.ts";
import type { Monitor } from "./ops/monitor.ts";
import { startOps } from "./ops/start-ops.ts";
import { type Committed, createProjection } from "./projection/projection.ts";
import { runProjection } from "./projection/run.ts";
import { publishDeadLetters } from "./publish/dead-letter-topic.ts";
import { publishViews } from "./publish/view-topic.ts";
import { deliverWebhooks } from "./publish/webhooks/deliver.ts";
import { openEndpoints, webhooksFile } from "./publish/webhooks/endpoints.ts";
import { eraseInKept } from "./rebuild/generations.ts";
import { logNames } from "./source/log-names.ts";
import { openSource } from "./source/open-source.ts";
import { startCheckpointer } from "./store/checkpointer.ts";
import { openStore } from "./store/store.ts";
import { exportTraces, passingOn, type Tracing } from "./trace/tracing.ts";

const config = readConfig(process.env);
const log = createLog("projector", config.logLevel);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

try {
  mkdirSync(config.databaseDir, { recursive: true });
  const { monitor, stop } = await startOps(config, log);
  const { traceEndpoint } = config;
  const tracing = traceEndpoint === undefined ? passingOn : exportTraces(traceEndpoint, logNames(config));
  try {
    while (!stopping.signal.aborted) await projectGeneration(config, log, stopping.signal, monitor, tracing);
  } finally {
    await stop();
    await tracing.stop();
  }
  log.info("projector stopped");
} catch (error) {
  log.fatal({ error: explained(error as NodeJS.ErrnoException) }, "projector stopped");
  process.exitCode = 1;
}

/** What went wrong, and what to do where the system's own words don't say. */
function explained({ code, message }: NodeJS.ErrnoException): string {
  if (code !== "EMFILE" && code !== "ENFILE") return message;
  return `${message}; each partition's file is kept open: allow more (ulimit -n)`;
}

/** Keeps the serving generation up to date, until another one serves. */
async function projectGeneration(
  config: Config,
  log: Logger,
  signal: AbortSignal,
  monitor: Monitor,
  tracing: Tracing,
): Promise<void> {
  const file = viewFile(config);
  const ending = new AbortController();
  const untilEnd = AbortSignal.any([signal, ending.signal]);
  const stopFollowing = followServing(config.databaseDir, () => ending.abort());
  const store = openStore(file);
  const endpoints = openEndpoints(webhooksFile(config.databaseDir));
  const checkpointer = startCheckpointer(file);
  const source = openSource(config, log);
  try {
    const projection = createProjection(store, createDecoder(config), { tracing });
    const { kafka, eventLogDir } = config;
    const positions = projection.positions().length;
    log.info({ eventLog: kafka?.brokers ?? eventLogDir, file, positions }, "projector started");
    monitor.observe({ store, source, endpoints });
    const { webhooksAllowPrivate: allowPrivate } = config;
    const publishing = [
      deliverWebhooks({ store, endpoints, log, signal: untilEnd, allowPrivate, tracing }),
      ...(kafka
        ? [
            publishDeadLetters(kafka, store, log, untilEnd),
            publishViews(kafka, store, { log, signal: untilEnd, tracing }),
          ]
        : []),
    ];
    const onCommit = (committed: Committed) => {
      monitor.committed(committed);
      if (committed.erased.length === 0) return;
      eraseInKept(config.databaseDir, committed.erased);
      checkpointer.truncate();
    };
    const { batch: onBatch, health: onHealth } = monitor;
    await runProjection({ source, projection, log, signal: untilEnd, onBatch, onCommit, onHealth });
    await Promise.all(publishing);
  } finally {
    monitor.observe(undefined);
    ending.abort();
    stopFollowing();
    endpoints.close();
    await checkpointer.stop();
    store.close();
  }
  // After a switch: no new view before every reader has followed it, so that none sees a version go back.
  await delay(FOLLOWED_WITHIN_MS, undefined, { signal }).catch(() => undefined);
}
