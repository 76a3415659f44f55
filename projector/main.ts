import { mkdirSync } from "node:fs";
import { explain } from "../shared/command-line/explain.ts";
import { readConfig } from "../shared/config.ts";
import { createLog, warnOfMistypedSettings } from "../shared/log.ts";
import { whileFollowingKeys } from "./keys/while-following-keys.ts";
import { startOps } from "./ops/start-ops.ts";
import { becomeOwner } from "./owner/lock.ts";
import { runOwner } from "./owner/run-owner.ts";
import { remedyOf } from "./projection/trouble.ts";
import { runReplica } from "./replica/run-replica.ts";
import { withWorkspacePartitions } from "./source/kafka/workspace-partitions.ts";
import { openTracing } from "./trace/open-tracing.ts";

let log = createLog("projector", "info");
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

try {
  const config = readConfig(process.env);
  log = createLog("projector", config.logLevel);
  warnOfMistypedSettings(log);
  mkdirSync(config.databaseDir, { recursive: true, mode: 0o700 });
  const { monitor, stop } = await startOps(config, log);
  const tracing = await openTracing(config);
  try {
    const ownership = await becomeOwner(config.databaseDir, stopping.signal, (why) => {
      monitor.is("standby", why);
      log.info({ databaseDir: config.databaseDir }, why);
    });
    try {
      const parts = { log, monitor, tracing };
      const work = async (signal: AbortSignal): Promise<void> => {
        if (config.role === "replica") return runReplica({ config, ...parts }, signal);
        const settled = await withWorkspacePartitions(config, log, {
          signal,
          onTrouble: (why) => monitor.is("owner", why),
        });
        if (!signal.aborted) await runOwner({ config: settled, ...parts }, signal);
      };
      if (ownership) await whileFollowingKeys({ config, ...parts }, stopping.signal, work);
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

/** What went wrong, and what to do where the system's own words don't say. */
function explained(error: NodeJS.ErrnoException): string {
  const { code = "", message } = error;
  if (code === "EMFILE" || code === "ENFILE")
    return `${message}; each partition's file is kept open: allow more (ulimit -n)`;
  return /^(SQLITE_|EACCES$|EPERM$|EROFS$)/.test(code) ? `${message}; ${remedyOf(error)}` : explain(error);
}
