import type { Admin } from "kafkajs";
import { createTopics as create } from "../../../projector/source/kafka/create-topics.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";

/** All topics that a projector reads and writes. */
export const topicNames = ({ topics, deadLetterTopic, leadViewTopic }: KafkaConfig): string[] => [
  ...topics.values(),
  deadLetterTopic,
  leadViewTopic,
];

/** Creates topics that keep everything: generated records are older than a broker's default retention. */
export async function createTopics(
  admin: Admin,
  names: readonly string[],
  numPartitions: number,
): Promise<void> {
  await create(
    admin,
    names.map((topic) => ({
      topic,
      numPartitions,
      replicationFactor: 1,
      configEntries: [{ name: "retention.ms", value: "-1" }],
    })),
  );
}
