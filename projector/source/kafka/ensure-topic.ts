import type { Admin } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { smallTopics } from "./wanted-topics.ts";

/**
 * Creates one of the small topics that need no choices of an operator's, where it is missing.
 * @throws Error where the broker does not let us
 */
export async function ensureSmallTopic(admin: Admin, config: KafkaConfig, topic: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return;
  const wanted = smallTopics(config).filter((one) => one.topic === topic);
  await admin.createTopics({ topics: wanted, waitForLeaders: true });
}
