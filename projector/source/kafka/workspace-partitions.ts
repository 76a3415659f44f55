import { delay } from "../../../shared/clock.ts";
import type { Config } from "../../../shared/config.ts";
import type { Logger } from "../../../shared/log.ts";
import { createKafka, hopeless, isKafkaTrouble } from "./client.ts";
import { partitionCounts, requirePartitions } from "./history-check.ts";

const RETRY_MS = 1_000;

/**
 * The settings with the number of partitions that workspaces are spread over: the broker is asked for it where there are
 * shards and no setting says it, and is waited for.
 * @param onTrouble told why the broker can't be asked
 * @throws SourceError where the topics are not partitioned as shards need them, or waiting can't help
 */
export async function withWorkspacePartitions(
  config: Config,
  log: Logger,
  {
    signal,
    onTrouble = () => undefined,
  }: { readonly signal?: AbortSignal; readonly onTrouble?: (reason: string) => void } = {},
): Promise<Config> {
  const { kafka, shard, workspacePartitions } = config;
  if (!kafka || shard.count === 1 || workspacePartitions !== undefined) return config;
  const admin = createKafka(kafka, log).admin();
  try {
    for (;;) {
      try {
        await admin.connect();
        const counts = await partitionCounts(admin, kafka);
        requirePartitions(counts, shard, undefined);
        const [count] = counts.values();
        return { ...config, workspacePartitions: count };
      } catch (error) {
        const fatal = hopeless(error);
        if (fatal) throw fatal;
        if (!isKafkaTrouble(error)) throw error;
        onTrouble(`Kafka can't be read: ${(error as Error).message}`);
        log.warn(
          { error: (error as Error).message, retryInMs: RETRY_MS },
          "Kafka can't be read; trying again",
        );
        await delay(RETRY_MS, signal);
        if (signal?.aborted) return config;
      }
    }
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
