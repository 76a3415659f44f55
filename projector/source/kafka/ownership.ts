import type { Admin } from "kafkajs";
import { delay, monotonic, wallClock } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { type End, partitionName, type Succession } from "../source.ts";
import { readGroupNotes } from "./group-notes.ts";
import { createPreviousMembers } from "./previous-members.ts";

/** Numbers are wall-clock microseconds. */
const MICROSECONDS = 1_000;
const MINUTE_MS = 60_000;
/**
 * How far ahead of other members' numbers those begin that are to take over from them: both give numbers by the clock
 * until the old ones stop. Where that takes longer, the views are given new numbers then.
 */
const MOVE_MS = 24 * 60 * MINUTE_MS;
/** How long the partitions of an owner that is about to come back, as from a switch of generations, are kept for it. */
const RETURN_MS = MINUTE_MS;
const LOOK_MS = 100;

/** What is to be folded before a turn begins. */
interface Owed {
  readonly ends: readonly End[];
  /** False of a partition that does not move: what it still holds is an open transaction. */
  readonly moves: (partition: Pick<End, "topic" | "partition">) => boolean;
}

export type Ownership = ReturnType<typeof createOwnership>;

/**
 * Whether this database is the owner of its shard in the group. Databases that take turns agree by Kafka's means alone:
 * the assigner gives one of them the partitions, and the group's offsets carry what the next one has to know.
 */
export function createOwnership(config: KafkaConfig, succession: Succession, log: Logger) {
  const { groupId, previousGroupId, sessionTimeoutMs } = config;
  let term = 0;
  let has = false;
  let told = false;
  let moved = previousGroupId === undefined;
  /** True where another database was told of, and this one has not come as far yet. */
  let owes = false;
  /** Where the log ended when it took over; undefined where nothing is owed, or that is not known yet. */
  let owed: Owed | undefined;
  const previous = previousGroupId === undefined ? undefined : createPreviousMembers(config, previousGroupId);

  /** A note is a second old at most, unless its owner could not reach the group; then it lost it after a session. */
  const behindNote = (number: number): number => number + (MINUTE_MS + 2 * sessionTimeoutMs) * MICROSECONDS;

  /** The group gives the partitions back to an owner that is only away for a moment. */
  const awaitReturn = async (isStillGiven: () => boolean): Promise<void> => {
    const deadline = monotonic() + RETURN_MS;
    while (isStillGiven() && monotonic() < deadline) await delay(LOOK_MS);
  };

  /** Records that are still to be folded of those. */
  const owing = (): number => {
    if (!owed) return 0;
    const reached = new Map(succession.committed().map((one) => [partitionName(one), one.nextOffset]));
    const { ends, moves } = owed;
    const left = ends
      .filter(moves)
      .map((one) => Math.max(0, one.end - (reached.get(partitionName(one)) ?? 0)));
    const records = left.reduce((sum, one) => sum + one, 0);
    if (records === 0) {
      owes = false;
      owed = undefined;
    }
    return records;
  };
  const isOwing = (): boolean => {
    try {
      owing();
    } catch {
      // The database can't be read just now: it is asked again.
    }
    return owes;
  };

  return {
    /**
     * True where this database publishes and serves its shard: it has the partitions, and has folded all that was told of them
     * before. Undefined before the group said so.
     */
    owns: (): boolean | undefined => (told ? has && moved && !isOwing() : undefined),
    /** Records that are to be folded before that. */
    owing: (): number => (has ? owing() : 0),
    /** Where the partitions end that were taken over. */
    endAt(ends: Owed): void {
      if (owes) owed ??= ends;
    },
    term: (): number => term,
    /** What the members are doing that this one takes over from; undefined where there are none to wait for. */
    previous: () => (moved ? undefined : previous?.state()),
    /**
     * What is to be kept beside the offsets.
     * @param returns true where this reader stops and begins anew at once
     */
    note: (returns = false): string =>
      JSON.stringify({
        database: succession.database,
        term,
        number: succession.lastNumber(),
        moved,
        owes: isOwing(),
        returns,
      }),
    /** Finds out, before the group is joined, whether this database was the latest owner. */
    async look(admin: Admin): Promise<void> {
      const { latest } = await readGroupNotes(admin, config, groupId);
      term = latest?.database === succession.database ? latest.term : 0;
    },
    /**
     * The group gave this database the shard's partitions. Where another one had them, the numbers go on above its.
     * @param isStillGiven false where it took them away again
     * @param noteInGroup leaves this database's note
     */
    async take(admin: Admin, isStillGiven: () => boolean, noteInGroup: () => Promise<void>): Promise<void> {
      const first = await readGroupNotes(admin, config, groupId);
      const isOurs = first.latest?.database === succession.database;
      if (!isOurs && first.latest?.returns) await awaitReturn(isStillGiven);
      if (!isStillGiven()) return;
      const { latest } = await readGroupNotes(admin, config, groupId);
      moved ||= latest?.moved ?? false;
      owes = latest !== undefined && (!isOurs || latest.owes);
      owed = undefined;
      if (latest && !isOurs) {
        log.info({ groupId }, "taking over: all numbers go on above the earlier owner's");
        if (!(await succession.succeed(behindNote(latest.number)))) return;
      } else if (!latest && previousGroupId !== undefined) {
        const { latest: old } = await readGroupNotes(admin, config, previousGroupId);
        const now = wallClock() * MICROSECONDS;
        if (!(await succession.succeed(Math.max(old?.number ?? 0, now) + MOVE_MS * MICROSECONDS))) return;
      }
      if (!isStillGiven()) return;
      term = isOurs ? (latest?.term ?? 1) : (latest?.term ?? 0) + 1;
      await noteInGroup();
      has = true;
      told = true;
    },
    lose(): void {
      if (has) log.warn({ groupId }, "another database owns the shard now; this one waits");
      term = 0;
      has = false;
      owes = false;
      owed = undefined;
      told = true;
    },
    /** Looks whether those that this one takes over from have stopped, with all that they folded folded here. */
    async lookAtPrevious(admin: Admin): Promise<void> {
      if (moved || !has || !previous) return;
      const { members, behind, number } = await previous.look(admin, succession.committed());
      if (members > 0 || behind > 0) return;
      const lowest = succession.lowestNumber();
      if (number !== undefined && lowest !== undefined && lowest <= number)
        if (!(await succession.succeed(behindNote(number)))) return;
      moved = true;
      log.info({ previousGroupId }, "the members of the previous group have stopped; this one takes over");
    },
  };
}
