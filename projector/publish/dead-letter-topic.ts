import type { IHeaders, Producer } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka } from "../source/kafka/client.ts";
import { messageHeaders } from "../source/kafka/kafka-headers.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { runRelay } from "./relay.ts";

const LOOK_MS = 500;
const BATCH = 100;

/**
 * Publishes the table's dead letters to their topic until the signal aborts: at least once, in order, and after any
 * outage (design.md section 4). Key, value and headers are the original's, byte for byte; the headers of Kafka
 * Connect's convention say where it came from and what was wrong.
 */
export async function publishDeadLetters(
  config: KafkaConfig,
  store: Store,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  await runRelay({
    producer: createKafka(config, log).producer({ allowAutoTopicCreation: false }),
    next: () => store.deadLetters.unpublished(BATCH),
    async publish(producer, letters) {
      await send(producer, config, letters);
      store.deadLetters.markPublished(letters.map(({ record }) => record));
    },
    waiting: store.deadLetters.waiting,
    what: "dead letters",
    lookMs: LOOK_MS,
    log,
    signal,
  });
}

async function send(
  producer: Producer,
  config: KafkaConfig,
  letters: readonly StoredDeadLetter[],
): Promise<void> {
  const messages = letters.map((letter) => ({
    key: letter.record.key,
    value: letter.record.value,
    headers: { ...messageHeaders(letter.record.headers), ...connectHeaders(letter, config) },
  }));
  await producer.send({ topic: config.deadLetterTopic, acks: -1, messages });
}

/** Kafka Connect's names for the context of a dead letter. */
function connectHeaders({ record, code, reason }: StoredDeadLetter, { topics }: KafkaConfig): IHeaders {
  return {
    "__connect.errors.topic": topics.get(record.topic) ?? record.topic,
    "__connect.errors.partition": String(record.partition),
    "__connect.errors.offset": String(record.offset),
    "__connect.errors.connector.name": "lead-view-projector",
    "__connect.errors.task.id": "0",
    "__connect.errors.stage": "TASK_PUT",
    "__connect.errors.class.name": code,
    "__connect.errors.exception.class.name": code,
    "__connect.errors.exception.message": reason,
  };
}
