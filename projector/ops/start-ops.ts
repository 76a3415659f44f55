import type { FastifyInstance } from "fastify";
import { Registry } from "prom-client";
import { type Config, DEFAULT_OPS_PORT } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { opsKey } from "../../shared/ops-key.ts";
import { shardName } from "../../shared/shard.ts";
import { logNames } from "../source/log-names.ts";
import { registerExpiries, watchCertificates } from "./expiries.ts";
import { createCommitMetrics, registerStateMetrics } from "./metrics.ts";
import { createMonitor, type Monitor } from "./monitor.ts";
import { createOpsServer } from "./ops-server.ts";

export interface Ops {
  readonly monitor: Monitor;
  stop(): Promise<void>;
}

/**
 * Begins to tell how the projector is doing.
 * @throws Error where a port that was asked for can't be had
 */
export async function startOps(config: Config, log: Logger): Promise<Ops> {
  const { databaseDir, kafka } = config;
  const registry = new Registry();
  const monitor = createMonitor(
    {
      role: config.role,
      databaseDir,
      publishes: kafka !== undefined,
      mostLagSeconds: config.readyMaxLagSeconds,
    },
    createCommitMetrics(registry, logNames(config)),
  );
  registerStateMetrics(registry, monitor, { ...logNames(config), shard: shardName(config.shard) });
  registerExpiries(registry, monitor, config);
  const stopWatching = watchCertificates(monitor, config);
  const key = opsKey(config);
  const server = await createOpsServer({ monitor, registry, config, key, log });
  await listen(server, config, log, key !== undefined);
  return {
    monitor,
    async stop() {
      monitor.stop();
      stopWatching();
      await server.close();
    },
  };
}

async function listen(server: FastifyInstance, { ops }: Config, log: Logger, page: boolean): Promise<void> {
  const { host, port = DEFAULT_OPS_PORT } = ops;
  try {
    const address = await server.listen({ host, port });
    log.info(
      { address, page: page ? `${address}/ops/` : "off: set OPS_KEY" },
      "metrics and health are served",
    );
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    if (!taken) throw error;
    // Two projectors on one machine are nothing unusual: only a port that somebody counts on is a must.
    if (ops.port !== undefined) throw new Error(`port ${port} is taken; set OPS_PORT to a free one`);
    log.warn({ port }, "no metrics and no operator's page: the port is taken; set OPS_PORT to a free one");
  }
}
