import { randomUUID } from "node:crypto";
import type { Kafka, Producer } from "kafkajs";
import { inject } from "vitest";
import { createLiveProjection } from "../../projector/projection/live-projection.ts";
import { runProjection } from "../../projector/projection/run.ts";
import { createKafka } from "../../projector/source/kafka/client.ts";
import { messageHeaders } from "../../projector/source/kafka/kafka-headers.ts";
import { createKafkaSource } from "../../projector/source/kafka/kafka-source.ts";
import type { SourceRecord } from "../../projector/source/source.ts";
import { openStore, type Store } from "../../projector/store/store.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import { createLog } from "../../shared/log.ts";
import { ONLY_SHARD } from "../../shared/shard.ts";
import { createTopics, topicNames } from "./broker/create-topics.ts";
import { decode } from "./projector.ts";

export const silent = createLog("projector", process.env["TEST_LOG_LEVEL"] ?? "silent");

/** Topics and a group of the test's own on the run's broker. */
export function testConfig(
  brokers: string = inject("brokers"),
  more: Partial<KafkaConfig> = {},
): KafkaConfig {
  const own = randomUUID().slice(0, 8);
  return {
    brokers: [brokers],
    clientId: "test",
    groupId: `group-${own}`,
    previousGroupId: undefined,
    shard: ONLY_SHARD,
    workspacePartitions: undefined,
    sessionTimeoutMs: 10_000,
    tls: false,
    sasl: undefined,
    topics: new Map(Object.values(TOPICS).map((topic) => [topic, `${topic}-${own}`])),
    deadLetterTopic: `dead-${own}`,
    leadViewTopic: `views-${own}`,
    floorTopic: `views-${own}.floor`,
    keysTopic: `keys-${own}`,
    maxViewBytes: 16 * 1024 ** 2,
    maxDeadLetterBytes: 16 * 1024 ** 2,
    ...more,
  };
}

/** The same as settings of a program's. */
export const envOf = (config: KafkaConfig): Record<string, string> => ({
  KAFKA_BROKERS: config.brokers.join(","),
  KAFKA_GROUP_ID: config.groupId,
  KAFKA_TOPIC_DEAD_LETTER: config.deadLetterTopic,
  KAFKA_TOPIC_LEAD_VIEW: config.leadViewTopic,
  KAFKA_TOPIC_KEYS: config.keysTopic,
  ...Object.fromEntries(
    [...config.topics].map(([topic, name]) => [`KAFKA_TOPIC_${topic.slice(5).toUpperCase()}`, name]),
  ),
});

/** A cluster with the config's topics, and a producer. */
export async function openCluster(config: KafkaConfig, partitions = 2) {
  const kafka: Kafka = createKafka(config, silent);
  const admin = kafka.admin();
  await admin.connect();
  const create = (names: readonly string[]) => createTopics(admin, names, partitions);
  await create(topicNames(config));
  // What a partition took is not there twice where another one of the same request was not ready yet.
  const producer: Producer = kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  return {
    kafka,
    admin,
    producer,
    create,
    /** Produces the records to the partitions that they name. */
    async produce(records: readonly SourceRecord[], compression = 0): Promise<void> {
      const byTopic = Map.groupBy(records, ({ topic }) => topic);
      await producer.sendBatch({
        compression,
        acks: -1,
        topicMessages: [...byTopic].map(([topic, list]) => ({
          topic: config.topics.get(topic) as string,
          messages: list.map(({ key, value, partition, headers, timestamp }) => ({
            key,
            value,
            partition,
            headers: messageHeaders(headers),
            timestamp: String(timestamp),
          })),
        })),
      });
    },
    async close() {
      await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
    },
  };
}

/** A running projector on the config's topics. */
export function startProjector(config: KafkaConfig, file = ":memory:") {
  const store: Store = openStore(file);
  const stopping = new AbortController();
  const { signal } = stopping;
  const projection = createLiveProjection({ store, decode, log: silent, signal });
  const running = runProjection({ source: createKafkaSource(config, silent), projection, signal });
  running.catch(() => undefined);
  return {
    store,
    running,
    /** Records folded and committed of a topic, over its partitions. */
    folded: (topic: string) =>
      store.positions
        .all()
        .filter((position) => position.topic === topic)
        .reduce((sum, { nextOffset }) => sum + nextOffset, 0),
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
      store.close();
    },
  };
}
