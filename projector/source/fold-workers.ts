import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { createFolderLook } from "./file-log/folder.ts";
import { createKafka } from "./kafka/client.ts";
import { partitionCounts } from "./kafka/history-check.ts";

/**
 * How many workers can share the log: as many as are configured, but no more than there are partitions, and one where the
 * topics are not partitioned alike: then a lead's events of two topics would meet in two workers.
 */
export async function possibleWorkers(config: Config, log: Logger): Promise<number> {
  const { foldWorkers, kafka, eventLogDir } = config;
  if (foldWorkers === 1) return 1;
  const counts = kafka ? await countsOfCluster(config, log) : countsOfFolder(eventLogDir);
  const [first = 1, ...others] = counts;
  return others.every((count) => count === first) ? Math.min(foldWorkers, first) : 1;
}

async function countsOfCluster({ kafka }: Config, log: Logger): Promise<number[]> {
  if (!kafka) return [];
  const admin = createKafka(kafka, log).admin();
  await admin.connect();
  try {
    return [...(await partitionCounts(admin, kafka)).values()];
  } finally {
    await admin.disconnect();
  }
}

/** A topic without files has no events yet. */
function countsOfFolder(folder: string): number[] {
  const counts = new Map<string, number>();
  for (const { topic, partition } of createFolderLook(folder, () => undefined)())
    counts.set(topic, Math.max(counts.get(topic) ?? 0, partition + 1));
  return [...counts.values()];
}
