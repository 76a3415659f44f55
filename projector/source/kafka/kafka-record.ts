import { createHash } from "node:crypto";
import type { KafkaMessage } from "kafkajs";
import { LATEST_MS, type Position, type SourceRecord } from "../source.ts";
import { headersOfMessage } from "./kafka-headers.ts";

/** The source's note in a position: the last folded record's offset, and its hash, to know the topic again by. */
interface Cursor {
  readonly offset: number;
  readonly check: string;
}

/** A message of the broker as a record; the topic under its name in the catalogue. */
export function recordOfMessage(topic: string, partition: number, message: KafkaMessage): SourceRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key,
    // A producer may set any 64-bit number, or none, which Kafka writes as NO_TIMESTAMP.
    timestamp: Math.max(-LATEST_MS, Math.min(LATEST_MS, Number(message.timestamp))),
    headers: headersOfMessage(message.headers),
    value: message.value,
  };
}

/** The position behind a record. */
export function positionBehind(record: SourceRecord): Position {
  const { topic, partition, offset } = record;
  const cursor: Cursor = { offset, check: checkOf(record) };
  return { topic, partition, nextOffset: offset + 1, cursor: JSON.stringify(cursor) };
}

export const cursorOf = ({ cursor }: Position): Cursor | undefined =>
  cursor === null ? undefined : (JSON.parse(cursor) as Cursor);

export function checkOf({ key, timestamp, value }: SourceRecord): string {
  const hash = createHash("sha256").update(`${timestamp} ${key?.length ?? -1} ${value?.length ?? -1} `);
  if (key) hash.update(key);
  if (value) hash.update(value);
  return hash.digest("base64url").slice(0, 16);
}
