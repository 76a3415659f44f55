import type { Admin } from "kafkajs";
import { wallClock } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { isPartitionOf } from "../../../shared/shard.ts";
import { partitionName, type Succession } from "../source.ts";

/** What the owner of a shard leaves for the next one, beside the offsets in its consumer group. */
interface OwnerNote {
  readonly database: string;
  /** Counts the owners; each one's is higher than the one's before. */
  readonly term: number;
  /** The last number that it gave, when it wrote this. */
  readonly number: number;
}

/** What a group says of this shard's partitions. */
export interface GroupNotes {
  /** The note of the latest owner; its number is the highest of all. Undefined where none was left. */
  readonly latest: OwnerNote | undefined;
  /** The offset of the next record to fold, by the partition's name. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Numbers are wall-clock microseconds. */
const MICROSECONDS = 1_000;
const MINUTE_MS = 60_000;
/**
 * How far ahead of other members' numbers those begin that are to take over from them. Both give numbers by the clock
 * until the old ones stop: that has to be sooner.
 */
export const MOVE_MS = 24 * 60 * MINUTE_MS;

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
    const { database, term, number } = JSON.parse(metadata ?? "null");
    return typeof database === "string" && Number.isSafeInteger(term) && Number.isSafeInteger(number)
      ? { database, term, number }
      : undefined;
  } catch {
    return undefined;
  }
}

export type Ownership = ReturnType<typeof createOwnership>;

/**
 * Whether this database is the owner of its shard in the group. Databases that take turns agree by Kafka's means alone:
 * the assigner gives one of them the partitions, and the group's offsets carry what the next one has to know.
 */
export function createOwnership(config: KafkaConfig, succession: Succession, log: Logger) {
  const { groupId, previousGroupId, sessionTimeoutMs } = config;
  let term = 0;
  let owns: boolean | undefined;

  /** The number that all of this database have to be above, where it is not the one that gave the last ones. */
  const numberOfOthers = async (admin: Admin, { latest }: GroupNotes): Promise<number | undefined> => {
    // A note is a second old at most, unless its owner could not reach the group; then it lost it after a session.
    if (latest) return latest.number + (MINUTE_MS + 2 * sessionTimeoutMs) * MICROSECONDS;
    if (previousGroupId === undefined) return undefined;
    const previous = await readGroupNotes(admin, config, previousGroupId);
    return Math.max(previous.latest?.number ?? 0, wallClock() * MICROSECONDS) + MOVE_MS * MICROSECONDS;
  };

  return {
    owns: (): boolean | undefined => owns,
    term: (): number => term,
    /** What is to be kept beside the offsets. */
    note: (): string =>
      JSON.stringify({
        database: succession.database,
        term,
        number: succession.lastNumber(),
      } satisfies OwnerNote),
    /** Finds out, before the group is joined, whether this database was the latest owner. */
    async look(admin: Admin): Promise<void> {
      const { latest } = await readGroupNotes(admin, config, groupId);
      term = latest?.database === succession.database ? latest.term : 0;
    },
    /**
     * The group gave this database the shard's partitions. Where another one had them, the numbers go on above its.
     * @param noteInGroup leaves this database's note
     */
    async take(admin: Admin, noteInGroup: () => Promise<void>): Promise<void> {
      const notes = await readGroupNotes(admin, config, groupId);
      if (notes.latest?.database !== succession.database) {
        const number = await numberOfOthers(admin, notes);
        if (number !== undefined) {
          log.info({ groupId, above: number }, "taking over: all numbers go on above the earlier owner's");
          await succession.succeed(number);
        }
      }
      term =
        notes.latest?.database === succession.database ? notes.latest.term : (notes.latest?.term ?? 0) + 1;
      await noteInGroup();
      owns = true;
    },
    lose(): void {
      if (owns) log.warn({ groupId }, "another database owns the shard now; this one waits");
      term = 0;
      owns = false;
    },
  };
}
