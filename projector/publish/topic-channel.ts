import kafkajs, { type Message, type Producer } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka, kafkaErrorTypes } from "../source/kafka/client.ts";
import type { Channel, Outcome } from "./outbox-reader.ts";

/** Bytes of one request to one partition, before compression: well under the least limit that a topic has (1 MB). */
export const REQUEST_BYTES = 768 * 1024;
/** Rows that are taken on at once. */
const AT_ONCE = 500;
/** Milliseconds that the broker has for an answer, where nothing else is said. */
const ANSWER_MS = 10_000;

/** The broker's words for a record that it will not take, however often it is sent. */
const REFUSED = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
]);
/** Those of them that may be meant for the whole request. */
const TOO_LARGE = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);

/** How the reason begins of what went out as a reference. */
export const TOO_LARGE_REASON = "too large for";

/** A row's record, and what is to be told once it is known whether the broker has it. */
export interface Outgoing {
  readonly message: Message;
  readonly end: (error?: string) => void;
}

export interface TopicRows<Row> {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly log: Logger;
  readonly answerMs?: number | undefined;
  keyOf(row: Row): Buffer | string | null;
  /** @throws Error where the row can't be a record */
  outgoing(row: Row): Outgoing;
  /** A small record that says where to read what is too large for the topic (CloudEvents' dataref). */
  reference(row: Row): Message;
  /** Told the offset behind what the broker has of a partition. */
  onAcknowledged?(partition: number, end: number): void;
}

/**
 * A topic as the place that rows go to: a lane is a partition, found as Kafka's own producers find it, so that rows are
 * cut into requests by partition and bytes before they are sent. After a failed send the producer is never used again:
 * what the broker wrote without our learning of it would make a later batch look like a repetition.
 */
export function createTopicChannel<Row>({
  config,
  topic,
  log,
  answerMs = ANSWER_MS,
  keyOf,
  outgoing,
  reference,
  onAcknowledged,
}: TopicRows<Row>): Channel<Row> {
  const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  let partitions: { partitionId: number }[] = [];
  let current: Lease | undefined;

  const lease = async (): Promise<Lease> => {
    current ??= await connect();
    return current;
  };

  const connect = async (): Promise<Lease> => {
    const kafka = createKafka(config, log, { requestTimeout: answerMs, retries: 1 });
    const admin = kafka.admin();
    try {
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      partitions = topics[0]?.partitions ?? [];
    } finally {
      await admin.disconnect();
    }
    if (partitions.length === 0)
      throw new Error(`topic ${topic} has no partitions; create it with: npx lead-view topics`);
    // No retries of its own: which rows are sent again, and when, is the reader's to say.
    const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
    await producer.connect();
    return { producer, users: 0, retired: false };
  };

  const release = (one: Lease): void => {
    one.users--;
    if (one.retired && one.users === 0) void one.producer.disconnect().catch(() => undefined);
  };

  const retire = (one: Lease): void => {
    one.retired = true;
    if (current === one) current = undefined;
  };

  /** @throws Error as kafkajs has it */
  const send = async (partition: number, messages: readonly Message[]): Promise<void> => {
    const one = await lease();
    one.users++;
    try {
      const sent = await one.producer.send({
        topic,
        acks: -1,
        timeout: answerMs,
        compression: kafkajs.CompressionTypes.GZIP,
        messages: messages.map((message) => ({ ...message, partition })),
      });
      onAcknowledged?.(partition, Number(sent[0]?.baseOffset) + messages.length);
    } catch (error) {
      retire(one);
      throw error;
    } finally {
      release(one);
    }
  };

  /** Sends a part of a lane's rows; one that the broker refuses is found by halving. */
  const sendPart = async (
    partition: number,
    part: readonly Prepared<Row>[],
    told: (row: Row, outcome: Outcome) => void,
  ): Promise<void> => {
    try {
      await send(
        partition,
        part.map(({ sent }) => sent.message),
      );
      for (const { row, sent } of part) {
        sent.end();
        told(row, "passed");
      }
    } catch (error) {
      const types = kafkaErrorTypes(error);
      const refused = types.find((type) => REFUSED.has(type));
      if (refused === undefined) {
        for (const { sent } of part) sent.end((error as Error).name);
        throw error;
      }
      if (part.length > 1) {
        const half = part.length >> 1;
        await sendPart(partition, part.slice(0, half), told);
        await sendPart(partition, part.slice(half), told);
        return;
      }
      const [{ row, sent }] = part as [Prepared<Row>];
      sent.end(refused);
      told(row, await refer(partition, row, refused));
    }
  };

  /** What becomes of a row that the topic does not take: a reference in its place, so that nobody keeps an older one. */
  const refer = async (partition: number, row: Row, refused: string): Promise<Outcome> => {
    if (!TOO_LARGE.has(refused))
      return { reason: `the broker refuses it (${refused})`, nextTryAt: () => null };
    await send(partition, [reference(row)]);
    const reason = `${TOO_LARGE_REASON} ${topic} (${refused}): a reference was published; raise its max.message.bytes and retry`;
    log.warn({ topic, partition, code: refused }, "too large for its topic; a reference was published");
    return { reason, nextTryAt: () => null };
  };

  return {
    laneOf: (row) =>
      String(
        partitionOf({
          topic,
          partitionMetadata: partitions as never,
          message: { key: keyOf(row), value: null },
        }),
      ),
    lanes: () => partitions.map(({ partitionId }) => String(partitionId)),
    atOnce: () => AT_ONCE,
    async prepare() {
      await lease();
    },
    async pass(lane, rows, told) {
      let part: Prepared<Row>[] = [];
      let bytes = 0;
      const flush = async () => {
        if (part.length > 0) await sendPart(Number(lane), part, told);
        part = [];
        bytes = 0;
      };
      for (const row of rows) {
        let sent: Outgoing;
        try {
          sent = outgoing(row);
        } catch (error) {
          told(row, { reason: `it can't be a record: ${(error as Error).message}`, nextTryAt: () => null });
          continue;
        }
        const size = bytesOf(sent.message);
        if (bytes + size > REQUEST_BYTES) await flush();
        part.push({ row, sent });
        bytes += size;
      }
      await flush();
    },
    async close() {
      const last = current;
      current = undefined;
      await last?.producer.disconnect();
    },
  };
}

interface Prepared<Row> {
  readonly row: Row;
  readonly sent: Outgoing;
}

/** A connected producer, which is let go when the last send that it carries has ended. */
interface Lease {
  readonly producer: Producer;
  users: number;
  retired: boolean;
}

/** About what a record takes in a request. */
export function bytesOf({ key, value, headers }: Message): number {
  let bytes = 64 + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of Object.entries(headers ?? {}))
    bytes += name.length + String(header).length + 8;
  return bytes;
}
