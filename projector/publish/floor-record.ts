import type { Message } from "kafkajs";
import type { SourceRecord } from "../source/source.ts";

// What one shard's relay says of the topic of views: up to which of its changes the topic has everything, and how far the
// partitions have to be read for that. Replicas know by it what has come, whatever the order in which it came.

export interface FloorRecord {
  /** K/N: shard K of N. */
  readonly shard: string;
  /** The topic has every change of the shard up to this number. */
  readonly number: number;
  /** The first change that it does not have; null where there is none. */
  readonly next: number | null;
  /** The offsets before which those changes stand, by partition. */
  readonly offsets: Readonly<Record<string, number>>;
  /** How far the events are folded whose changes those are; as positions have topics. */
  readonly positions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly nextOffset: number;
  }[];
  /** Why the projector is not ready; null where it is. */
  readonly reason: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The record's key is the shard: the topic is compacted to the latest one of each. */
export const floorMessage = ({ shard, ...floor }: FloorRecord): Message => ({
  key: shard,
  value: JSON.stringify(floor),
  headers: { "content-type": "application/json" },
});

/** @throws Error saying why it is no such record */
export function readFloorRecord({ key, value }: SourceRecord): FloorRecord {
  const shard = key?.toString("utf8") ?? "";
  if (!/^\d{1,6}\/[1-9]\d{0,5}$/.test(shard)) throw new Error("its key is no shard");
  const floor = JSON.parse(value?.toString("utf8") ?? "null") as FloorRecord | null;
  if (floor === null || !Number.isSafeInteger(floor.number) || !Array.isArray(floor.positions))
    throw new Error("it does not say how far the topic of views is");
  return { ...floor, shard };
}
