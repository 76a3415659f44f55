import type { Config } from "../../../shared/config.ts";
import type { Logger } from "../../../shared/log.ts";
import { type Asking, askCluster } from "./ask-cluster.ts";
import { partitionCounts, requirePartitions } from "./history-check.ts";

/**
 * The settings with the number of partitions that workspaces are spread over: the broker is asked for it where there are
 * shards and no setting says it, and is waited for.
 * @throws SourceError where the topics are not partitioned as shards need them, or waiting can't help
 */
export async function withWorkspacePartitions(
  config: Config,
  log: Logger,
  asking: Omit<Asking, "log"> = {},
): Promise<Config> {
  const { kafka, shard, workspacePartitions } = config;
  if (!kafka || shard.count === 1 || workspacePartitions !== undefined) return config;
  const counts = await askCluster(kafka, (admin) => partitionCounts(admin, kafka), { log, ...asking });
  if (counts === undefined) return config;
  requirePartitions(counts, shard, undefined);
  const [count] = counts.values();
  return { ...config, workspacePartitions: count };
}
