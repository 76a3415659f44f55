import type { Admin } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { isPartitionOf } from "../../../shared/shard.ts";
import { partitionName } from "../source.ts";

/** What the owner of a shard leaves for the next one, beside the offsets in its consumer group. */
export interface OwnerNote {
  readonly database: string;
  /** Counts the owners; each one's is higher than the one's before. */
  readonly term: number;
  /** The last number that it gave, when it wrote this. */
  readonly number: number;
  /** True where it waits for no members of another group to stop. */
  readonly moved: boolean;
  /** True where it has not folded all yet that the log held when it took over from another database. */
  readonly owes: boolean;
  /** True where it stopped to begin anew at once. */
  readonly returns: boolean;
}

/** What a group says of this shard's partitions. */
export interface GroupNotes {
  /** The note of the latest owner; its number is the highest of all. Undefined where none was left. */
  readonly latest: OwnerNote | undefined;
  /** The offset of the next record to fold, by the partition's name. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Reads what the owners left in a group for whoever reads these partitions next. */
export async function readGroupNotes(
  admin: Admin,
  { topics, shard }: KafkaConfig,
  groupId: string,
): Promise<GroupNotes> {
  const found = await admin.fetchOffsets({ groupId, topics: [...topics.values()] });
  const topicOf = new Map([...topics].map(([topic, name]) => [name, topic]));
  const offsets = new Map<string, number>();
  let latest: OwnerNote | undefined;
  for (const { topic: name, partitions } of found) {
    for (const { partition, offset, metadata } of partitions) {
      if (!isPartitionOf(shard, partition) || Number(offset) < 0) continue;
      offsets.set(partitionName({ topic: topicOf.get(name) as string, partition }), Number(offset));
      const note = parseNote(metadata);
      if (note === undefined) continue;
      const { term = 0, number = 0 } = latest ?? {};
      latest = { ...(latest && term >= note.term ? latest : note), number: Math.max(number, note.number) };
    }
  }
  return { latest, offsets };
}

function parseNote(metadata: string | null): OwnerNote | undefined {
  try {
    const { database, term, number, moved, owes, returns } = JSON.parse(metadata || "null") ?? {};
    const isNote = typeof database === "string" && Number.isSafeInteger(term) && Number.isSafeInteger(number);
    const flags = { moved: moved === true, owes: owes === true, returns: returns === true };
    return isNote ? { database, term, number, ...flags } : undefined;
  } catch {
    return undefined;
  }
}
