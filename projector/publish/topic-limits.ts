import kafkajs from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka } from "../source/kafka/client.ts";

/** A topic's setting for the largest request of one partition, and what the settings want it to be. */
export interface TopicLimit {
  readonly topic: string;
  readonly bytes: number;
  readonly wantedBytes: number;
}

export const LIMIT = "max.message.bytes";

/** What the topics that are published to must take, by the broker's name. */
export const wantedLimits = (config: KafkaConfig): ReadonlyMap<string, number> =>
  new Map([
    [config.leadViewTopic, config.maxViewBytes],
    [config.deadLetterTopic, config.maxDeadLetterBytes],
  ]);

/** Asks the broker what the topics that are published to take. @throws Error where it can't be asked */
export async function readTopicLimits(config: KafkaConfig, log: Logger): Promise<TopicLimit[]> {
  const admin = createKafka(config, log).admin();
  try {
    await admin.connect();
    const wanted = wantedLimits(config);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [...wanted.keys()].map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configNames: [LIMIT],
      })),
    });
    return resources.map(({ resourceName, configEntries }) => ({
      topic: resourceName,
      bytes: Number(configEntries.find(({ configName }) => configName === LIMIT)?.configValue),
      wantedBytes: wanted.get(resourceName) as number,
    }));
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Says which topics take less than the settings want: what is larger goes out as a reference. */
export function warnOfLimits(limits: readonly TopicLimit[], log: Logger): void {
  for (const { topic, bytes, wantedBytes } of limits) {
    if (bytes >= wantedBytes) continue;
    log.warn(
      { topic, [LIMIT]: bytes, wanted: wantedBytes },
      `the topic takes less than the settings want: raise its ${LIMIT}, or lower KAFKA_MAX_VIEW_BYTES or ` +
        "KAFKA_MAX_DEAD_LETTER_BYTES; what is larger goes out as a reference",
    );
  }
}
