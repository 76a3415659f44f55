import { mkdirSync } from "node:fs";
import { readConfig } from "../shared/config.ts";
import { createLog } from "../shared/log.ts";
import { followKeys } from "./keys/follow-keys.ts";
import { startOps } from "./ops/start-ops.ts";
import { becomeOwner } from "./owner/lock.ts";
import { type OwnerParts, runOwner } from "./owner/run-owner.ts";
import { remedyOf } from "./projection/trouble.ts";
import { runReplica } from "./replica/run-replica.ts";
import { logNames } from "./source/log-names.ts";
import { exportTraces, passingOn } from "./trace/tracing.ts";

const config = readConfig(process.env);
const log = createLog("projector", config.logLevel);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

try {
  mkdirSync(config.databaseDir, { recursive: true, mode: 0o700 });
  const { monitor, stop } = await startOps(config, log);
  const { traceEndpoint } = config;
  const tracing = traceEndpoint === undefined ? passingOn : exportTraces(traceEndpoint, logNames(config));
  try {
    const ownership = await becomeOwner(config.databaseDir, stopping.signal, () => {
      monitor.state("this projector is a standby: another one owns the folder");
      log.info({ databaseDir: config.databaseDir }, "standby: another projector owns the folder");
    });
    try {
      if (ownership) await work({ config, log, monitor, tracing });
    } finally {
      ownership?.release();
    }
  } finally {
    await stop();
    await tracing.stop();
  }
  log.info("projector stopped");
} catch (error) {
  log.fatal({ error: explained(error as NodeJS.ErrnoException) }, "projector stopped");
  process.exitCode = 1;
}

/** Does what the role asks for, and keeps this node's keys up to date with the others', until it is to stop. */
async function work(parts: OwnerParts): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([stopping.signal, ended.signal]);
  const keys = followKeys(config, log, signal);
  parts.monitor.alsoAsk(keys.reason);
  const role = config.role === "replica" ? runReplica(parts, signal) : runOwner(parts, signal);
  try {
    await Promise.race([role, keys.ended.then(() => role)]);
  } finally {
    ended.abort();
    await Promise.allSettled([role, keys.ended]);
  }
}

/** What went wrong, and what to do where the system's own words don't say. */
function explained(error: NodeJS.ErrnoException): string {
  const { code = "", message } = error;
  if (code === "EMFILE" || code === "ENFILE")
    return `${message}; each partition's file is kept open: allow more (ulimit -n)`;
  return /^(SQLITE_|EACCES$|EPERM$|EROFS$)/.test(code) ? `${message}; ${remedyOf(error)}` : message;
}
