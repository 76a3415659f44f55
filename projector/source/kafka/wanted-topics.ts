import type { ITopicConfig } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";

/** What a record takes beside its value: key, headers, and the batch around it. */
const AROUND_A_VALUE = 64 * 1024;

/** Kafka's word for records that are never deleted. */
export const FOREVER = "-1";

export interface TopicChoices {
  readonly partitions: number;
  readonly replication: number;
  /** Milliseconds as Kafka has them; -1 = for ever. */
  readonly retentionMs: string;
  /** Bytes of the largest event. */
  readonly maxEventBytes: number;
}

/** All topics that the projector reads and writes, as they are to be made. */
export function wantedTopics(config: KafkaConfig, choices: TopicChoices): ITopicConfig[] {
  const { partitions: numPartitions, replication: replicationFactor, retentionMs, maxEventBytes } = choices;
  const limit = (bytes: number) => ({ name: "max.message.bytes", value: String(bytes) });
  // Patches don't survive compaction: event topics keep every record.
  const events = [...config.topics.values()].map((topic) => ({
    topic,
    numPartitions,
    replicationFactor,
    configEntries: [
      { name: "cleanup.policy", value: "delete" },
      { name: "retention.ms", value: retentionMs },
      { name: "retention.bytes", value: "-1" },
      limit(maxEventBytes + AROUND_A_VALUE),
    ],
  }));
  const letters = {
    topic: config.deadLetterTopic,
    numPartitions: 1,
    replicationFactor,
    configEntries: [{ name: "retention.ms", value: "-1" }, limit(config.maxDeadLetterBytes)],
  };
  const views = {
    topic: config.leadViewTopic,
    numPartitions,
    replicationFactor,
    configEntries: [{ name: "cleanup.policy", value: "compact" }, limit(config.maxViewBytes)],
  };
  return [...events, letters, views, ...smallTopics(config).map((one) => ({ ...one, replicationFactor }))];
}

/** One record a shard, and one a key: topics of one partition, of which only the latest of each is kept. */
export const smallTopics = ({ floorTopic, keysTopic }: KafkaConfig): ITopicConfig[] =>
  [floorTopic, keysTopic].map((topic) => ({
    topic,
    numPartitions: 1,
    configEntries: [{ name: "cleanup.policy", value: "compact" }],
  }));
