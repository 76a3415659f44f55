import type { KafkaMessage } from "kafkajs";
import { LATEST_MS, type Position, recordHash, type SourceRecord } from "../source.ts";
import { headersOfMessage } from "./kafka-headers.ts";

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

/** The source's note in a position: the cluster whose records were read. */
export const cursorOfCluster = (clusterId: string): string => JSON.stringify({ cluster: clusterId });

/** The position behind a record of a cluster. */
export function positionBehind(record: SourceRecord, clusterId: string): Position {
  const { topic, partition, offset } = record;
  const last = { offset, hash: recordHash(record) };
  return { topic, partition, nextOffset: offset + 1, last, cursor: cursorOfCluster(clusterId) };
}
