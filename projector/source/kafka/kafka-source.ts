import { setTimeout as delay } from "node:timers/promises";
import type { Admin, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { FencedError, type Position, type Sink, type Source, SourceError } from "../source.ts";
import { createKafka, hopeless } from "./client.ts";
import { firstPositions, heldOffsets, partitionCounts, recreated, requireHeld } from "./history-check.ts";
import { checkOf, cursorOf, positionBehind, recordOfMessage } from "./kafka-record.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;
/** Records that are folded between two heartbeats. */
const SLICE = 5_000;
/** Milliseconds between two notes of the positions in the consumer group, which only lag tools read. */
const GROUP_NOTE_MS = 1_000;
/**
 * Milliseconds. What waits for more to commit with waits no longer than this: what follows in the log may be an open
 * transaction, or control records, of which kafkajs makes no batch.
 */
const COMMIT_WAIT_MS = 100;
/**
 * Milliseconds between two comparisons of the positions with what the broker holds. Where retention overtakes a reader,
 * kafkajs goes on at the partition's end by itself, and with nothing new there, nothing would tell.
 */
const CHECK_MS = 10_000;

/**
 * Kafka as the event log (design.md section 4). The positions are the sink's; the consumer group decides who reads
 * which partition, and is told the positions for lag tools only. Broker trouble is waited out.
 * @throws SourceError where waiting can't help: records are gone, topics changed, credentials are refused
 */
export function createKafkaSource(config: KafkaConfig, log: Logger): Source {
  return {
    async run(sink, signal) {
      const kafka = createKafka(config, log);
      let wait = FIRST_RETRY_MS;
      while (!signal.aborted) {
        try {
          await consume(kafka, config, sink, log, signal, () => {
            wait = FIRST_RETRY_MS;
          });
        } catch (error) {
          const fatal = hopeless(error);
          if (fatal) throw fatal;
          if (!isKafkaTrouble(error)) throw error;
          log.warn({ error: (error as Error).message, retryInMs: wait }, "Kafka can't be read; trying again");
          await delay(wait, undefined, { signal }).catch(() => undefined);
          wait = Math.min(wait * 2, LONGEST_RETRY_MS);
        }
      }
    },
  };
}

const isKafkaTrouble = (error: unknown): boolean => (error as Error).name?.startsWith("KafkaJS") ?? false;

/** Joins the group and reads until the signal aborts. */
async function consume(
  kafka: Kafka,
  config: KafkaConfig,
  sink: Sink,
  log: Logger,
  signal: AbortSignal,
  onBatch: () => void,
): Promise<void> {
  const admin = kafka.admin();
  const consumer = kafka.consumer({
    groupId: config.groupId,
    sessionTimeout: config.sessionTimeoutMs,
    rebalanceTimeout: 2 * config.sessionTimeoutMs,
    heartbeatInterval: config.sessionTimeoutMs / 10,
    maxWaitTimeInMs: 1_000,
    // One way to start again: ours, from the stored positions.
    retry: { retries: 5, restartOnFailure: async () => false },
  });
  const ended = Promise.withResolvers<void>();
  let checking: NodeJS.Timeout | undefined;
  const onAbort = () => ended.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await admin.connect();
    await beginAll(admin, config, sink);
    await consumer.connect();
    await consumer.subscribe({ topics: [...config.topics.values()], fromBeginning: true });
    const reader = createReader({ admin, consumer, config, sink, log, onBatch, fail: ended.reject });
    consumer.on("consumer.crash", ({ payload }) => ended.reject(payload.error));
    consumer.on("consumer.group_join", ({ payload }) => reader.assigned(payload.memberAssignment));
    consumer.on("consumer.start_batch_process", ({ payload }) => reader.passedOver(payload));
    checking = setInterval(() => void reader.check(), CHECK_MS);
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: reader.eachBatch });
    try {
      await ended.promise;
      if (!config.temporaryGroup) await reader.noteInGroup();
    } finally {
      reader.stop();
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    clearInterval(checking);
    ended.promise.catch(() => undefined);
    await consumer.disconnect().catch(() => undefined);
    if (config.temporaryGroup) await admin.deleteGroups([config.groupId]).catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
  }
}

/** Stores offset 0 for every partition of a topic that was never read, so that a later growth is seen. */
async function beginAll(admin: Admin, config: KafkaConfig, sink: Sink): Promise<void> {
  const counts = await partitionCounts(admin, config);
  for (;;) {
    const positions = firstPositions(counts, sink.positions());
    if (positions.length === 0) return;
    try {
      await sink.handle({ records: [], positions, more: false });
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      sink.reset();
    }
  }
}

interface ReaderParts {
  readonly admin: Admin;
  readonly consumer: Consumer;
  readonly config: KafkaConfig;
  readonly sink: Sink;
  readonly log: Logger;
  readonly onBatch: () => void;
  readonly fail: (error: unknown) => void;
}

type Assignment = Readonly<Record<string, readonly number[]>>;

/** Turns the group's batches into the sink's: none folded twice, none with a hole before it. */
function createReader({ admin, consumer, config, sink, log, onBatch, fail }: ReaderParts) {
  const topicOf = new Map([...config.topics].map(([topic, name]) => [name, topic]));
  let assignment: Assignment = {};
  let checked: Promise<void> = Promise.resolve();
  let turn: Promise<void> = Promise.resolve();
  let failed = false;
  let noted = 0;
  let idle: NodeJS.Timeout | undefined;

  const positionOf = (topic: string, partition: number): Position => {
    const position = sink.positions().find((one) => one.topic === topic && one.partition === partition);
    if (!position)
      throw new SourceError(`topic ${topic} has a new partition ${partition}; start again for what to do`);
    return position;
  };

  /** Goes to the stored position; one record before it, where there is one, to know the topic again by. */
  const seek = (topic: string, partition: number, low: number) => {
    const position = positionOf(topic, partition);
    const last = cursorOf(position)?.offset;
    const offset = last !== undefined && last >= low ? last : position.nextOffset;
    consumer.seek({ topic: config.topics.get(topic) as string, partition, offset: String(offset) });
  };

  /** Holds all assigned partitions to what the broker has. */
  const check = async (): Promise<void> => {
    for (const [name, partitions] of Object.entries(assignment)) {
      const topic = topicOf.get(name) as string;
      const held = await heldOffsets(admin, name);
      for (const partition of partitions) requireHeld(positionOf(topic, partition), held.get(partition));
    }
  };

  const seekAll = (low: number) => {
    for (const [name, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) seek(topicOf.get(name) as string, partition, low);
    }
  };

  const noteInGroup = async (): Promise<void> => {
    noted = Date.now();
    const offsets = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({
        topic,
        partition,
        offset: String(positionOf(topicOf.get(topic) as string, partition).nextOffset),
      })),
    );
    if (offsets.length === 0) return;
    await consumer
      .commitOffsets(offsets)
      .catch((error) => log.debug({ error: error.message }, "positions not noted in the group"));
  };

  /** One at a time: kafkajs can have two handlers alive after a rebalance (its issue 1097). */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const result = turn.then(async () => {
      if (failed) return;
      try {
        await work();
      } catch (error) {
        if (error instanceof FencedError) {
          sink.reset();
          seekAll(0);
          return;
        }
        if ((error as { type?: string }).type === "REBALANCE_IN_PROGRESS" || isKafkaTrouble(error))
          throw error;
        failed = true;
        fail(error);
      }
    });
    turn = result.catch(() => undefined);
    return result;
  };

  const commitWhenIdle = () => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      void inTurn(() => sink.handle({ records: [], positions: [], more: false })).catch(fail);
    }, COMMIT_WAIT_MS);
  };

  const fold = async ({ batch, heartbeat, isStale }: EachBatchPayload): Promise<void> => {
    await checked;
    if (failed || isStale()) return;
    const topic = topicOf.get(batch.topic) as string;
    const { partition } = batch;
    const position = positionOf(topic, partition);
    const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset);
    if (fetchedOffset > position.nextOffset) {
      // A hole: the group's offset is ahead of the database, or the broker has no longer what comes next.
      await check();
      seek(topic, partition, 0);
      return;
    }
    requireSameTopic(position, batch);
    clearTimeout(idle);
    const fresh = batch.messages.filter(({ offset }) => Number(offset) >= position.nextOffset);
    const behind = Number(batch.highWatermark) - 1 > Number(batch.lastOffset());
    for (let from = 0; from < fresh.length; from += SLICE) {
      const records = fresh
        .slice(from, from + SLICE)
        .map((message) => recordOfMessage(topic, partition, message));
      const last = records.at(-1);
      if (!last) continue;
      const isLast = from + SLICE >= fresh.length;
      const behindLast = positionBehind(last);
      // Control records at the batch's end are behind us too.
      const reached = isLast ? { ...behindLast, nextOffset: Number(batch.lastOffset()) + 1 } : behindLast;
      await heartbeat();
      await sink.handle({ records, positions: [reached], more: behind || !isLast, keepAlive: heartbeat });
    }
    if (behind) commitWhenIdle();
    onBatch();
    if (!config.temporaryGroup && Date.now() - noted > GROUP_NOTE_MS) void noteInGroup();
  };

  return {
    assigned(given: Assignment): void {
      assignment = given;
      try {
        seekAll(0);
        checked = check();
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
        if (first > position.nextOffset || next <= position.nextOffset) return;
        await sink.handle({ records: [], positions: [{ ...position, nextOffset: next }], more: true });
        commitWhenIdle();
      });
      passing.catch(fail);
    },
    eachBatch: (payload: EachBatchPayload): Promise<void> => inTurn(() => fold(payload)),
    /** Looks whether the broker still holds what comes next; that it can't be asked just now is the consumer's to tell. */
    check: (): Promise<void> =>
      inTurn(check).catch((error) =>
        log.debug({ error: error.message }, "positions not compared with the broker's"),
      ),
    stop(): void {
      failed = true;
      clearTimeout(idle);
    },
    noteInGroup,
  };
}

interface PassedOver {
  readonly topic: string;
  readonly partition: number;
  readonly batchSize: number;
  readonly firstOffset: string | null;
  readonly lastOffset: string;
}

/** The record before the position is still the one that was folded last. */
function requireSameTopic(position: Position, batch: EachBatchPayload["batch"]): void {
  const cursor = cursorOf(position);
  const first = batch.messages[0];
  if (!cursor || !first || Number(first.offset) !== cursor.offset) return;
  if (checkOf(recordOfMessage(position.topic, position.partition, first)) !== cursor.check) {
    throw recreated(
      position.topic,
      `partition ${position.partition} has another record at offset ${cursor.offset}`,
    );
  }
}
