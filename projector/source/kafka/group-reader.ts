import type { Admin, Consumer, EachBatchPayload } from "kafkajs";
import { after, delay, every, monotonic, type Timer } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { type End, type Position, partitionName, recordHash, type Sink, SourceError } from "../source.ts";
import { isKafkaTrouble } from "./client.ts";
import { heldOffsets, recreated, requireHeld } from "./history-check.ts";
import { positionBehind, recordOfMessage } from "./kafka-record.ts";
import type { Ownership } from "./ownership.ts";
import { createUnreadRecords } from "./unread-records.ts";

/** Milliseconds that a note of coming back is tried again for. */
const RETURN_NOTE_MS = 3_000;
const RETRY_MS = 100;
/** Records that are folded between two heartbeats. */
const SLICE = 5_000;
/** Milliseconds between two notes of positions and numbers in the consumer group. */
export const GROUP_NOTE_MS = 1_000;
/** A commit waits for more records only where the log holds at least so many: a catch-up, not the daily trickle. */
const WORTH_WAITING = 2_000;
/** Milliseconds. What waits for more to commit with waits no longer than this for the next batch. */
const COMMIT_WAIT_MS = 500;

interface ReaderParts {
  readonly admin: Admin;
  readonly consumer: Consumer;
  readonly config: KafkaConfig;
  readonly clusterId: string;
  readonly sink: Sink;
  /** Undefined for a reader that comes once, and has its group alone. */
  readonly ownership: Ownership | undefined;
  readonly log: Logger;
  readonly onBatch: () => void;
  readonly fail: (error: unknown) => void;
}

type Assignment = Readonly<Record<string, readonly number[]>>;

/** Turns the group's batches into the sink's: none folded twice, none with a hole before it. */
export function createGroupReader({
  admin,
  consumer,
  config,
  clusterId,
  sink,
  ownership,
  log,
  onBatch,
  fail,
}: ReaderParts) {
  const topicOf = new Map([...config.topics].map(([topic, name]) => [name, topic]));
  const unread = createUnreadRecords();
  let assignment: Assignment = {};
  let checked: Promise<void> = Promise.resolve();
  let queue: Promise<void> = Promise.resolve();
  let failed = false;
  let joined = false;
  /** True once it was told how much there is to fold of what it was given last, having had nothing. */
  let knowsEnds = false;
  /** True once the ends of all partitions that are assigned are told. */
  let areEndsTold = false;
  let noted = "";
  let noting: Promise<void> = Promise.resolve();
  let idle: Timer | undefined;

  const positionOf = (topic: string, partition: number): Position => {
    const position = sink.positions().find((one) => one.topic === topic && one.partition === partition);
    if (!position)
      throw new SourceError(
        `topic ${topic} has a new partition ${partition}; start again for what to do`,
        "changed",
      );
    return position;
  };

  /** Goes to the stored position; one record before it, where there is one, to know the topic again by. */
  const seek = (topic: string, partition: number) => {
    const position = positionOf(topic, partition);
    const offset = position.last?.offset ?? position.nextOffset;
    consumer.seek({ topic: config.topics.get(topic) as string, partition, offset: String(offset) });
  };

  /** Holds all assigned partitions to what the broker has. */
  const check = async (): Promise<void> => {
    for (const [name, partitions] of Object.entries(assignment)) {
      const topic = topicOf.get(name) as string;
      const held = await heldOffsets(admin, name);
      for (const partition of partitions) {
        requireHeld(positionOf(topic, partition), held.get(partition));
        unread.told({ topic, partition }, held.get(partition)?.high ?? 0);
      }
    }
  };

  const seekAll = () => {
    for (const [name, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) seek(topicOf.get(name) as string, partition);
    }
  };

  const noteInGroup = async (returns = false): Promise<void> => {
    const metadata = ownership?.note(returns) ?? "";
    const offsets = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({
        topic,
        partition,
        offset: String(positionOf(topicOf.get(topic) as string, partition).nextOffset),
        metadata,
      })),
    );
    if (offsets.length > 0) await consumer.commitOffsets(offsets);
  };

  /** What changed since the last note is noted: who owns the partitions next has to know of it. */
  const noteChanges = async (): Promise<void> => {
    if (!ownership?.term()) return;
    const now = `${ownership.note()} ${JSON.stringify(sink.positions().map(({ nextOffset }) => nextOffset))}`;
    if (now === noted) return;
    noted = now;
    await noteInGroup().catch((error) => {
      noted = "";
      log.debug({ error: error.message }, "positions not noted in the group");
    });
  };

  /** Says that this member comes back at once. A group that shares its partitions out anew takes no note until it is done. */
  const noteReturn = async (): Promise<void> => {
    for (const deadline = monotonic() + RETURN_NOTE_MS; ownership?.term(); await delay(RETRY_MS)) {
      try {
        return await noteInGroup(true);
      } catch (error) {
        if (monotonic() < deadline) continue;
        log.warn(
          { error: (error as Error).message },
          "the group could not be told that this projector comes back at once: a standby may take over",
        );
        return;
      }
    }
  };

  /**
   * Waits until the partitions are this member's: to take over can take longer than a silent member is waited for.
   * @throws Error of kafkajs where the group shares them out anew: it waits until this member joins again
   */
  const settled = async (heartbeat: () => Promise<void>): Promise<void> => {
    const lost = Promise.withResolvers<never>();
    const beating = every(GROUP_NOTE_MS, () => void heartbeat().catch(lost.reject));
    await Promise.race([checked, lost.promise]).finally(() => beating.stop());
  };

  /** The partitions are this member's from now on, as far as it is told; nothing of them is folded before. */
  const begin = async (given: Assignment): Promise<void> => {
    await checked.catch(() => undefined);
    if (assignment !== given) return;
    if (ownership && partitionsIn(given) > 0)
      await ownership.take(admin, () => assignment === given && !failed, noteInGroup);
    // Taken away again in the meantime.
    if (assignment !== given) ownership?.lose();
    else {
      await check();
      ownership?.endAt({ ends: unread.ends(), moves: unread.moves });
      areEndsTold = assignment === given;
    }
  };

  /** One at a time: kafkajs can have two handlers alive after a rebalance (its issue 1097). */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const result = queue.then(async () => {
      if (failed) return;
      try {
        await work();
      } catch (error) {
        if (isKafkaTrouble(error)) throw error;
        failed = true;
        fail(error);
      }
    });
    queue = result.catch(() => undefined);
    return result;
  };

  const commitWhenIdle = () => {
    idle?.stop();
    idle = after(COMMIT_WAIT_MS, () => {
      void inTurn(() => sink.handle({ records: [], positions: [], more: false })).catch(fail);
    });
  };

  /** Moves over what the broker keeps of transactions, or was compacted away: nothing of it is handed over. */
  const moveOver = async (position: Position, next: number): Promise<void> => {
    if (next <= position.nextOffset) return;
    await sink.handle({ records: [], positions: [{ ...position, nextOffset: next }], more: true });
    commitWhenIdle();
  };

  const fold = async ({ batch, heartbeat, isStale }: EachBatchPayload): Promise<void> => {
    await settled(heartbeat);
    // kafkajs hands over the rest of a fetch though its partitions went to somebody else.
    if (failed || isStale() || !assignment[batch.topic]?.includes(batch.partition)) return;
    const topic = topicOf.get(batch.topic) as string;
    const { partition } = batch;
    const position = positionOf(topic, partition);
    const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset);
    if (fetchedOffset > position.nextOffset) {
      // A hole: the group's offset is ahead of the database, or the broker has no longer what comes next.
      await check();
      seek(topic, partition);
      return;
    }
    requireSameTopic(position, batch);
    idle?.stop();
    const fresh = batch.messages.filter(({ offset }) => Number(offset) >= position.nextOffset);
    unread.moved(position, Number(batch.highWatermark));
    let more = false;
    for (let from = 0; from < fresh.length; from += SLICE) {
      const records = fresh
        .slice(from, from + SLICE)
        .map((message) => recordOfMessage(topic, partition, message));
      const last = records.at(-1);
      if (!last) continue;
      const isLast = from + SLICE >= fresh.length;
      const behindLast = positionBehind(last, clusterId);
      // Control records at the batch's end are behind us too.
      const reached = isLast ? { ...behindLast, nextOffset: Number(batch.lastOffset()) + 1 } : behindLast;
      more = unread.records(sink.positions()) - records.length >= WORTH_WAITING;
      await heartbeat();
      await sink.handle({ records, positions: [reached], more, keepAlive: heartbeat });
    }
    if (more) commitWhenIdle();
    // The record before the position came again, and behind it nothing but those.
    if (fresh.length === 0) await moveOver(position, Number(batch.lastOffset()) + 1);
    onBatch();
  };

  return {
    assigned(given: Assignment): void {
      if (partitionsIn(assignment) === 0) knowsEnds = false;
      assignment = given;
      unread.clear();
      areEndsTold = false;
      if (partitionsIn(given) === 0) ownership?.lose();
      try {
        seekAll();
        // How much is left to be read is known only then.
        checked = begin(given).then(() => {
          joined = true;
          knowsEnds = true;
        });
      } catch (error) {
        checked = Promise.reject(error);
      }
      checked.catch((error) => {
        failed = true;
        fail(error);
      });
    },
    /** kafkajs passes over control records by itself, and tells: the position moves over them too. */
    passedOver({ topic: name, partition, batchSize, firstOffset, lastOffset }: PassedOver): void {
      if (batchSize > 0) return;
      const passing = inTurn(async () => {
        const position = positionOf(topicOf.get(name) as string, partition);
        const [first, next] = [Number(firstOffset ?? lastOffset), Number(lastOffset) + 1];
        if (first <= position.nextOffset) await moveOver(position, next);
      });
      passing.catch(fail);
    },
    eachBatch: (payload: EachBatchPayload): Promise<void> => inTurn(() => fold(payload)),
    /** Looks whether the broker still holds what comes next; that it can't be asked just now is the consumer's to tell. */
    check: (): Promise<void> =>
      inTurn(check).catch((error) =>
        log.debug({ error: error.message }, "positions not compared with the broker's"),
      ),
    /**
     * Ends reading; what is being handed over is handed over, and the last note in the group says so.
     * @param returns true where this member comes back at once
     */
    async stop(returns: boolean): Promise<void> {
      failed = true;
      idle?.stop();
      await queue;
      await noting;
      await (returns ? noteReturn() : noteChanges());
    },
    /** One note after another, and none behind the last one. */
    noteChanges: (): Promise<void> => {
      if (!failed) noting = noting.then(() => noteChanges());
      return noting;
    },
    /** Looks at the members that this one takes over from. */
    lookAtPrevious: async (): Promise<void> =>
      ownership
        ?.lookAtPrevious(admin)
        .catch((error) => log.debug({ error: error.message }, "the previous group can't be looked at")),
    /** None before all are told: some alone would pass for all that there is to read. */
    ends: (): readonly End[] => (areEndsTold ? unread.ends() : []),
    /** False where it has begun to read and was not told yet how much there is. */
    knowsEnds: (): boolean => knowsEnds,
    /** How many partitions are assigned to this member; undefined before it has joined the group. */
    assignedPartitions: (): number | undefined => (joined ? partitionsIn(assignment) : undefined),
    /** The partitions whose records stand before the ends, and still move. */
    behind: (ends: ReadonlyMap<string, number>): boolean =>
      sink
        .positions()
        .some(
          (position) =>
            position.nextOffset < (ends.get(partitionName(position)) ?? 0) && unread.moves(position),
        ),
  };
}

const partitionsIn = (assignment: Assignment): number =>
  Object.values(assignment).reduce((sum, partitions) => sum + partitions.length, 0);

interface PassedOver {
  readonly topic: string;
  readonly partition: number;
  readonly batchSize: number;
  readonly firstOffset: string | null;
  readonly lastOffset: string;
}

/** The record before the position is still the one that was folded last. */
function requireSameTopic(position: Position, batch: EachBatchPayload["batch"]): void {
  const { last, topic, partition } = position;
  const first = batch.messages[0];
  if (!last || !first || Number(first.offset) !== last.offset) return;
  if (recordHash(recordOfMessage(topic, partition, first)) !== last.hash) {
    throw recreated(topic, `partition ${partition} has another record at offset ${last.offset}`);
  }
}
