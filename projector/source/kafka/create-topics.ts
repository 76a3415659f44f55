import type { Admin, ITopicConfig } from "kafkajs";
import { delay, monotonic } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { smallTopics } from "./wanted-topics.ts";

/** Milliseconds in which a new topic is known to all brokers. */
const LEADER_MS = 10_000;
const LOOK_MS = 100;

/**
 * Creates topics, and waits until they can be written to; those that are there already stay as they are.
 * @throws Error where the broker does not let us
 */
export async function createTopics(admin: Admin, topics: readonly ITopicConfig[]): Promise<void> {
  await admin.createTopics({ topics: [...topics], waitForLeaders: false });
  // kafkajs's own waiting gives up where the broker that it asks has not heard of the topic yet.
  for (const deadline = monotonic() + LEADER_MS; ; await delay(LOOK_MS)) {
    try {
      await admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) });
      return;
    } catch (error) {
      if (monotonic() > deadline) throw error;
    }
  }
}

/**
 * Creates one of the small topics that need no choices of an operator's, where it is missing.
 * @throws Error where the broker does not let us
 */
export async function ensureSmallTopic(admin: Admin, config: KafkaConfig, topic: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return;
  await createTopics(
    admin,
    smallTopics(config).filter((one) => one.topic === topic),
  );
}
