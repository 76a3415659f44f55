import type { Admin, Kafka } from "kafkajs";
import { createBackOff } from "../../../shared/back-off.ts";
import { every, randomId, type Timer } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { shardName } from "../../../shared/shard.ts";
import { type Share, takes, WHOLE } from "../share.ts";
import { partitionName, RETURNS, type Sink, type Source, type Succession } from "../source.ts";
import { createKafka, requirePassing } from "./client.ts";
import { createGroupReader, GROUP_NOTE_MS } from "./group-reader.ts";
import { firstPositions, heldOffsets, partitionCounts, requirePartitions } from "./history-check.ts";
import { createOwnership, type Ownership } from "./ownership.ts";
import type { PreviousMembers } from "./previous-members.ts";
import { requireSameLog } from "./same-log.ts";
import { createShardAssigner } from "./shard-assigner.ts";
import { createShareAssigner } from "./share-assigner.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 2_000;
/**
 * Milliseconds between two comparisons of the positions with what the broker holds. Where retention overtakes a reader,
 * kafkajs goes on at the partition's end by itself, and with nothing new there, nothing would tell.
 */
const CHECK_MS = 10_000;
/** Milliseconds between two heartbeats: whoever joins the group waits until each member's next one. */
const LONGEST_BEAT_MS = 300;
/** Milliseconds between two looks whether the end is reached. */
const LOOK_MS = 20;

/**
 * Kafka as the event log. The positions are the sink's; the consumer group decides which database reads the shard's
 * partitions. Broker trouble is waited out.
 * @param succession undefined where no other database takes turns with the sink's
 * @param worker which of the shard's partitions are read; another than all of them is for a reader with a group of its own
 * @throws SourceError where waiting can't help: records are gone, topics changed, credentials are refused
 */
export function createKafkaSource(
  config: KafkaConfig,
  log: Logger,
  succession?: Succession,
  worker: Share = WHOLE,
): Source {
  const share: Share = { ...worker, shard: config.shard };
  const ownership =
    config.temporaryGroup || !succession ? undefined : createOwnership(config, succession, log);
  let reader: ReturnType<typeof createGroupReader> | undefined;
  let partitions = 0;
  let brokerTrouble: string | undefined;

  const run = async (sink: Sink, signal: AbortSignal, toEnd: boolean) => {
    const kafka = createKafka(config, log);
    const backOff = createBackOff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
    const parts = {
      kafka,
      config,
      sink,
      ownership,
      database: succession?.database ?? randomId(),
      log,
      signal,
      toEnd,
      share,
      onPartitions: (count: number) => {
        partitions = count;
      },
      onReader: (next: typeof reader) => {
        reader = next;
      },
      onBatch: () => {
        backOff.reset();
        brokerTrouble = undefined;
      },
    };
    while (!signal.aborted) {
      try {
        await consume(parts);
        if (toEnd) return;
      } catch (error) {
        requirePassing(error);
        const { message } = error as Error;
        brokerTrouble = `Kafka can't be read: ${message}`;
        log.warn({ error: message, retryInMs: backOff.nextMs() }, "Kafka can't be read; trying again");
        await backOff.wait(signal);
      }
    }
  };

  return {
    ends: () => reader?.ends() ?? [],
    owns: () => (ownership ? ownership.owns() : true),
    trouble() {
      if (brokerTrouble !== undefined) return brokerTrouble;
      const assigned = reader?.assignedPartitions();
      if (assigned === undefined) return "the consumer group has not assigned the partitions yet";
      if (assigned === 0) {
        return (
          `standby of shard ${shardName(config.shard)}: another database of the consumer group ${config.groupId} is the ` +
          "owner, and this one takes over when that one goes; to have both, give each a KAFKA_GROUP_ID of its own"
        );
      }
      const previous = ownership?.previous();
      if (previous) return waitingFor(previous);
      const owing = ownership?.owing() ?? 0;
      if (owing > 0)
        return `this database takes over its shard, and folds first what the log held then: ${owing} records are left`;
      if (ownership && !ownership.owns()) return "this database takes over its shard from another one";
      if (!reader?.knowsEnds()) return "the broker has not said yet how much there is to fold";
      if (assigned >= partitions) return undefined;
      return `${assigned} of ${partitions} partitions are read here: the other readers of this database are not there yet`;
    },
    run: (sink, signal) => run(sink, signal, false),
    readToEnd: (sink, signal) => run(sink, signal, true),
  };
}

/** What is left until this member takes over from those of the previous group. */
function waitingFor({ groupId, members, behind }: PreviousMembers): string {
  if (behind > 0)
    return `${behind} records that the members of the previous group ${groupId} have folded are not folded here yet`;
  return (
    `all is folded that the previous group ${groupId} has folded, and its ${members} members are at work: stop their ` +
    "projectors, and this one takes over"
  );
}

interface Consuming {
  readonly kafka: Kafka;
  readonly config: KafkaConfig;
  readonly sink: Sink;
  readonly ownership: Ownership | undefined;
  readonly database: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** True where reading ends at the ends that the partitions have at the start. */
  readonly toEnd: boolean;
  readonly share: Share;
  readonly onPartitions: (count: number) => void;
  readonly onReader: (reader: ReturnType<typeof createGroupReader> | undefined) => void;
  readonly onBatch: () => void;
}

/** Joins the group and reads until the signal aborts, or the end is reached. */
async function consume({
  kafka,
  config,
  sink,
  ownership,
  database,
  log,
  signal,
  toEnd,
  share,
  onPartitions,
  onReader,
  onBatch,
}: Consuming): Promise<void> {
  const admin = kafka.admin();
  const consumer = kafka.consumer({
    groupId: config.groupId,
    sessionTimeout: config.sessionTimeoutMs,
    rebalanceTimeout: 2 * config.sessionTimeoutMs,
    heartbeatInterval: Math.min(config.sessionTimeoutMs / 10, LONGEST_BEAT_MS),
    maxWaitTimeInMs: toEnd ? 100 : 250,
    partitionAssigners: [
      config.temporaryGroup
        ? createShareAssigner(share)
        : createShardAssigner(config.shard, () => ({
            shard: config.shard,
            database,
            worker: 0,
            workers: 1,
            term: ownership?.term() ?? 0,
            folded: sink.positions().reduce((sum, { nextOffset }) => sum + nextOffset, 0),
          })),
    ],
    // One way to start again: ours, from the stored positions.
    retry: { retries: 5, restartOnFailure: async () => false },
  });
  const ended = Promise.withResolvers<void>();
  let checking: Timer | undefined;
  let noting: Timer | undefined;
  let looking: Timer | undefined;
  const onAbort = () => ended.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    await requireSameLog(kafka, admin, config, sink.positions(), clusterId);
    onPartitions(await beginAll(admin, config, sink, share));
    const ends = toEnd ? await endOffsets(admin, config, share) : undefined;
    await ownership?.look(admin);
    if (ends && sink.positions().every((one) => one.nextOffset >= (ends.get(partitionName(one)) ?? 0)))
      return;
    await consumer.connect();
    await consumer.subscribe({ topics: [...config.topics.values()], fromBeginning: true });
    const reader = createGroupReader({
      admin,
      consumer,
      config,
      clusterId,
      sink,
      ownership,
      log,
      onBatch,
      fail: ended.reject,
    });
    onReader(reader);
    consumer.on("consumer.crash", ({ payload }) => ended.reject(payload.error));
    consumer.on("consumer.group_join", ({ payload }) => {
      // The broker is well again, also where it has nothing new.
      onBatch();
      reader.assigned(payload.memberAssignment);
    });
    consumer.on("consumer.start_batch_process", ({ payload }) => reader.passedOver(payload));
    checking = every(CHECK_MS, () => void reader.check());
    noting = every(GROUP_NOTE_MS, () => void reader.lookAtPrevious().then(() => reader.noteChanges()));
    if (ends) looking = every(LOOK_MS, () => !reader.behind(ends) && ended.resolve());
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: reader.eachBatch });
    try {
      await ended.promise;
    } finally {
      await reader.stop(signal.reason === RETURNS);
    }
  } finally {
    onReader(undefined);
    signal.removeEventListener("abort", onAbort);
    checking?.stop();
    noting?.stop();
    looking?.stop();
    ended.promise.catch(() => undefined);
    await consumer.disconnect().catch(() => undefined);
    if (config.temporaryGroup) await admin.deleteGroups([config.groupId]).catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
  }
}

/** How many of so many partitions are in the share. */
const shareOf = (share: Share, count: number): number =>
  Array.from({ length: count }, (_, partition) => partition).filter((one) => takes(share, one)).length;

/**
 * Stores offset 0 for every partition of a topic that was never read, others' too, so that a later growth is seen.
 * @returns how many partitions of all topics are in the share
 */
async function beginAll(admin: Admin, config: KafkaConfig, sink: Sink, share: Share): Promise<number> {
  const counts = await partitionCounts(admin, config);
  requirePartitions(counts, config.shard, config.workspacePartitions);
  const positions = firstPositions(counts, sink.positions());
  if (positions.length > 0) await sink.handle({ records: [], positions, more: false });
  return [...counts.values()].reduce((sum, count) => sum + shareOf(share, count), 0);
}

/** Where the partitions of the share end now, by their names in the catalogue. */
async function endOffsets(
  admin: Admin,
  config: KafkaConfig,
  share: Share,
): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  for (const [topic, name] of config.topics) {
    for (const [partition, { high }] of await heldOffsets(admin, name))
      if (takes(share, partition)) ends.set(partitionName({ topic, partition }), high);
  }
  return ends;
}
