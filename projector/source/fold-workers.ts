import type { Config } from "../../shared/config.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createFolderLook } from "./file-log/folder.ts";
import { type Asking, askCluster } from "./kafka/ask-cluster.ts";
import { partitionCounts } from "./kafka/history-check.ts";

/**
 * How many workers can share the log: as many as are configured, but no more than there are partitions, and one where the
 * topics are not partitioned alike: then a lead's events of two topics would meet in two workers.
 */
export async function possibleWorkers(config: Config, log: Logger, signal: AbortSignal): Promise<number> {
  const { foldWorkers, kafka, eventLogDir, shard } = config;
  if (foldWorkers === 1) return 1;
  const counts = kafka ? await countsOfCluster(kafka, { log, signal }) : countsOfFolder(eventLogDir);
  const [first = 1, ...others] = counts;
  const partitions = Math.floor(first / shard.count);
  return others.every((count) => count === first) ? Math.max(1, Math.min(foldWorkers, partitions)) : 1;
}

/** A topic without files has no events yet. */
function countsOfFolder(folder: string): number[] {
  const counts = new Map<string, number>();
  for (const { topic, partition } of createFolderLook(folder, () => undefined)())
    counts.set(topic, Math.max(counts.get(topic) ?? 0, partition + 1));
  return [...counts.values()];
}

const countsOfCluster = async (kafka: KafkaConfig, asking: Asking): Promise<number[]> => [
  ...((await askCluster(kafka, (admin) => partitionCounts(admin, kafka), asking))?.values() ?? []),
];
