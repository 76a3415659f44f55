import type { Admin } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Shard } from "../../../shared/shard.ts";
import { type Position, SourceError } from "../source.ts";

/** The offsets that a partition holds: from `low` up to, not including, `high`. */
export interface OffsetRange {
  readonly low: number;
  readonly high: number;
}

const REBUILD =
  "the views would miss what it held. Rebuild from an archive, with which the topic goes on (npx lead-view rebuild --from DIR), " +
  "restore the topic, or make the views of what it holds now (npx lead-view rebuild --accept-loss)";

/** How many partitions each topic of the catalogue has. @throws SourceError where a topic is missing */
export async function partitionCounts(
  admin: Admin,
  { topics }: KafkaConfig,
): Promise<ReadonlyMap<string, number>> {
  const existing = new Set(await admin.listTopics());
  const missing = [...topics.values()].filter((name) => !existing.has(name));
  if (missing.length > 0) {
    throw new SourceError(
      `Kafka has no topic ${missing.join(", ")}; create it with: npx lead-view topics`,
      "missing",
    );
  }
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics.values()] });
  const counts = new Map(found.map(({ name, partitions }) => [name, partitions.length]));
  return new Map([...topics].map(([topic, name]) => [topic, counts.get(name) ?? 0]));
}

/**
 * Holds the topics to what shards need of them: each lead's events of all topics in one partition number, and as many
 * partitions for each shard (rule: a workspace is one shard's).
 * @param workspacePartitions how many there are to be; undefined = any multiple of the shards
 * @throws SourceError naming what is to be done
 */
export function requirePartitions(
  counts: ReadonlyMap<string, number>,
  { count: shards }: Shard,
  workspacePartitions: number | undefined,
): void {
  if (shards === 1 && workspacePartitions === undefined) return;
  const [[first = "", wanted = 0] = []] = counts;
  for (const [topic, count] of counts) {
    if (workspacePartitions !== undefined && count !== workspacePartitions)
      throw new SourceError(
        `topic ${topic} has ${count} partitions, WORKSPACE_PARTITIONS says ${workspacePartitions}; set it to what the topics have`,
      );
    if (count !== wanted)
      throw new SourceError(
        `topic ${topic} has ${count} partitions and ${first} has ${wanted}: where they are partitioned by workspace all ` +
          "event topics need the same number. Create them anew (npm run topics) and write the archive into them",
      );
  }
  if (wanted % shards !== 0)
    throw new SourceError(
      `the event topics have ${wanted} partitions, which ${shards} shards can't share evenly: take a number of shards ` +
        "that divides it, or create topics with more partitions and write the archive into them",
    );
}

/**
 * The positions to begin with where a topic was never read: offset 0 of all its partitions.
 * @throws SourceError where a topic has more, or fewer, partitions than it was begun with
 */
export function firstPositions(counts: ReadonlyMap<string, number>, stored: readonly Position[]): Position[] {
  return [...counts].flatMap(([topic, count]) => {
    const known = stored.filter((position) => position.topic === topic);
    if (known.length === 0) {
      return Array.from({ length: count }, (_, partition) => ({
        topic,
        partition,
        nextOffset: 0,
        last: null,
        cursor: null,
      }));
    }
    if (known.some(({ partition }) => partition >= count))
      throw recreated(topic, "it has fewer partitions than before");
    if (known.length < count) {
      throw new SourceError(
        `topic ${topic} grew from ${known.length} to ${count} partitions: one lead's events now lie in two of them, and ` +
          "their order is lost. Create a new topic with that many partitions, write the archive (npx lead-view archive) into " +
          "it by key, let the producers use it, name it in KAFKA_TOPIC_*, and fold it with a new DATABASE_DIR",
        "changed",
      );
    }
    return [];
  });
}

/** What the broker holds of a topic's partitions, by partition. */
export async function heldOffsets(admin: Admin, name: string): Promise<ReadonlyMap<number, OffsetRange>> {
  const offsets = await admin.fetchTopicOffsets(name);
  return new Map(
    offsets.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
  );
}

/**
 * Holds a position to what the broker has.
 * @throws SourceError where records were deleted before they were folded, or the topic is another one
 */
export function requireHeld({ topic, partition, nextOffset }: Position, held: OffsetRange | undefined): void {
  if (held === undefined) throw recreated(topic, `it has no partition ${partition}`);
  if (nextOffset < held.low) {
    throw new SourceError(
      `${topic}/${partition}: the next record to fold is ${nextOffset}, but the broker has deleted all before ` +
        `${held.low} (retention); ${REBUILD}`,
      "changed",
    );
  }
  if (nextOffset > held.high) {
    throw recreated(topic, `partition ${partition} ends at ${held.high}, but was folded up to ${nextOffset}`);
  }
}

export const recreated = (topic: string, sign: string): SourceError =>
  new SourceError(
    `topic ${topic} is not the one that was folded: ${sign}; it was recreated or lost records. ${REBUILD}`,
    "changed",
  );
