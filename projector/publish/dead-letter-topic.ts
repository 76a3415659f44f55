import type { IHeaders, Message } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { messageHeaders } from "../source/kafka/kafka-headers.ts";
import { recordPosition, recordPositionName } from "../source/source.ts";
import type { StoredDeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { type Outbox, readOutbox } from "./outbox-reader.ts";
import { createTopicChannel } from "./topic-channel.ts";

export const DEAD_LETTERS_RELAY = "topic:dead_letters";
const LOOK_MS = 500;
/** Bytes of records that are in memory at once. */
const AT_ONCE_BYTES = 8 * 1024 ** 2;

/**
 * Publishes the table's dead letters to their topic until the signal aborts: at least once, in order, and after any
 * outage. Key, value and headers are the original's, byte for byte; the headers of Kafka Connect's convention say where it
 * came from and what was wrong.
 */
export async function publishDeadLetters(
  config: KafkaConfig,
  store: Store,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const channel = createTopicChannel<StoredDeadLetter>({
    config,
    topic: config.deadLetterTopic,
    log,
    keyOf: ({ record }) => record.key,
    outgoing: (letter) => ({ message: messageOf(letter, config), end: () => undefined }),
    reference: (letter) => referenceOf(letter, config),
  });
  await readOutbox({ store, outbox: deadLetterOutbox(store), channel, log, signal, lookMs: LOOK_MS });
}

/** The dead letters that their topic does not have yet; which it has stands in the letter's own row. */
function deadLetterOutbox({ deadLetters }: Store): Outbox<StoredDeadLetter> {
  return {
    relay: DEAD_LETTERS_RELAY,
    next: (most) => deadLetters.unpublished(most, AT_ONCE_BYTES),
    advance: (letters) => deadLetters.markPublished(letters.map(({ record }) => record)),
    find(name) {
      const position = recordPosition(name);
      return position && deadLetters.get(position);
    },
    nameOf: ({ record }) => recordPositionName(record),
    numberOf: () => 0,
    bytesOf: ({ record }) => record.value?.length ?? 0,
    waiting: deadLetters.waiting,
  };
}

function messageOf(letter: StoredDeadLetter, config: KafkaConfig): Message {
  const { key, value, headers } = letter.record;
  return { key, value, headers: { ...messageHeaders(headers), ...connectHeaders(letter, config) } };
}

/** What stands for a record that the topic can't take: its position is where to read it. */
function referenceOf(letter: StoredDeadLetter, config: KafkaConfig): Message {
  const dataref = `/ops/api/dead-letters/${recordPositionName(letter.record)}`;
  const { key } = letter.record;
  // A key can be as large as a value.
  const fits = key === null || key.length <= LARGEST_KEY;
  return {
    key: fits ? key : null,
    value: Buffer.alloc(0),
    headers: { ...connectHeaders(letter, config), ce_dataref: dataref },
  };
}

const LARGEST_KEY = 1_024;

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
