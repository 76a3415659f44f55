import { randomId } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { createFileLog } from "./file-log/file-log.ts";
import { createKafkaSource } from "./kafka/kafka-source.ts";
import { type Share, WHOLE } from "./share.ts";
import type { Source } from "./source.ts";

/**
 * The configured event log, as the projector follows it.
 * @param share the partitions that are followed; on Kafka, what the member of the group declares
 */
export function openSource({ kafka, eventLogDir }: Config, log: Logger, share: Share = WHOLE): Source {
  return kafka ? createKafkaSource(kafka, log, share) : createFileLog(eventLogDir, { log, share });
}

/**
 * The same log for a second reader that takes nothing from the first: on Kafka, in a group of its own.
 * @param share the partitions that it reads
 */
export function openHistorySource({ kafka, eventLogDir }: Config, log: Logger, share: Share = WHOLE): Source {
  if (!kafka) return createFileLog(eventLogDir, { share });
  return createKafkaSource(
    { ...kafka, groupId: `${kafka.groupId}-history-${randomId()}`, temporaryGroup: true },
    log,
    share,
  );
}
