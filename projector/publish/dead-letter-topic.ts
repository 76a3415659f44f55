import { setTimeout as delay } from "node:timers/promises";
import type { IHeaders, Producer } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka } from "../source/kafka/client.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";

const LOOK_MS = 500;
const BATCH = 100;
const LONGEST_WAIT_MS = 10_000;

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
  const producer = createKafka(config, log).producer({ allowAutoTopicCreation: false });
  let connected = false;
  for (let wait = LOOK_MS; !signal.aborted; await delay(wait, undefined, { signal }).catch(() => undefined)) {
    const letters = store.deadLetters.unpublished(BATCH);
    if (letters.length === 0) continue;
    try {
      if (!connected) await producer.connect();
      connected = true;
      await send(producer, config, letters);
      store.deadLetters.markPublished(letters.map(({ id }) => id));
      wait = LOOK_MS;
    } catch (error) {
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      log.warn(
        { error: (error as Error).message, retryInMs: wait },
        "dead letters can't be published; trying again",
      );
    }
  }
  await producer.disconnect().catch(() => undefined);
}

async function send(
  producer: Producer,
  config: KafkaConfig,
  letters: readonly StoredDeadLetter[],
): Promise<void> {
  const messages = letters.map((letter) => ({
    key: letter.record.key,
    value: letter.record.value,
    headers: { ...(letter.record.headers as IHeaders), ...connectHeaders(letter, config) },
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
