import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { KeyChange } from "../../shared/keys.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka } from "../source/kafka/client.ts";
import { ensureSmallTopic } from "../source/kafka/create-topics.ts";
import { keyMessage } from "./key-record.ts";

/**
 * Writes changes of keys into their topic, all or none of them, acknowledged by all of its replicas that are in sync.
 * @throws Error where that can't be done; what became of them is known by the topic alone then
 */
export async function publishKeys(
  config: KafkaConfig,
  changes: readonly KeyChange[],
  log: Logger,
): Promise<void> {
  if (changes.length === 0) return;
  const kafka = createKafka(config, log);
  const admin = kafka.admin();
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  try {
    await admin.connect();
    await ensureSmallTopic(admin, config, config.keysTopic);
    await producer.connect();
    await producer.send({ topic: config.keysTopic, acks: -1, messages: changes.map(keyMessage) });
  } finally {
    await Promise.all([producer, admin].map((one) => one.disconnect().catch(() => undefined)));
  }
}
