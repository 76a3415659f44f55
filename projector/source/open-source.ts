import { randomId } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { ONLY_SHARD } from "../../shared/shard.ts";
import { createFileLog } from "./file-log/file-log.ts";
import { createKafkaSource } from "./kafka/kafka-source.ts";
import { type Share, WHOLE } from "./share.ts";
import type { Source, Succession } from "./source.ts";

/** The configured event log, as the projector follows it. */
export function openSource({ kafka, eventLogDir }: Config, log: Logger, succession: Succession): Source {
  return kafka ? createKafkaSource(kafka, log, succession) : createFileLog(eventLogDir, { log });
}

/** All of it, whatever shard is configured, up to where it ends: for an archive. */
export const openWholeLog = ({ kafka, eventLogDir }: Config, log: Logger): Source =>
  openHistorySource({ kafka: kafka && { ...kafka, shard: ONLY_SHARD }, eventLogDir }, log);

/**
 * The same log for a second reader that takes nothing from the first: on Kafka, in a group of its own.
 * @param share the partitions that it reads
 */
export function openHistorySource(
  { kafka, eventLogDir }: Pick<Config, "kafka" | "eventLogDir">,
  log: Logger,
  share: Share = WHOLE,
): Source {
  if (!kafka) return createFileLog(eventLogDir, { share });
  return createKafkaSource(
    { ...kafka, groupId: `${kafka.groupId}-history-${randomId()}`, temporaryGroup: true },
    log,
    undefined,
    share,
  );
}
