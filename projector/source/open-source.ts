import { randomId } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { createFileLog } from "./file-log/file-log.ts";
import { createKafkaSource } from "./kafka/kafka-source.ts";
import type { Source } from "./source.ts";

/** The configured event log, as the projector follows it. */
export function openSource({ kafka, eventLogDir }: Config, log: Logger): Source {
  return kafka ? createKafkaSource(kafka, log) : createFileLog(eventLogDir, { log });
}

/** The same log for a second reader that takes nothing from the first: on Kafka, in a group of its own. */
export function openHistorySource({ kafka, eventLogDir }: Config, log: Logger): Source {
  if (!kafka) return createFileLog(eventLogDir);
  return createKafkaSource(
    { ...kafka, groupId: `${kafka.groupId}-history-${randomId()}`, temporaryGroup: true },
    log,
  );
}
