import { setTimeout as delay } from "node:timers/promises";
import type { Admin, Kafka } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { FencedError, type Sink, type Source } from "../source.ts";
import { createKafka, hopeless, isKafkaTrouble } from "./client.ts";
import { createGroupReader } from "./group-reader.ts";
import { firstPositions, partitionCounts } from "./history-check.ts";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;
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
  let ends: Source["ends"] = () => [];
  const onReader = (reader: ReturnType<typeof createGroupReader>) => {
    ends = reader.ends;
  };
  return {
    ends: () => ends(),
    async run(sink, signal) {
      const kafka = createKafka(config, log);
      let wait = FIRST_RETRY_MS;
      const onBatch = () => {
        wait = FIRST_RETRY_MS;
      };
      while (!signal.aborted) {
        try {
          await consume({ kafka, config, sink, log, signal, onReader, onBatch });
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

interface Consuming {
  readonly kafka: Kafka;
  readonly config: KafkaConfig;
  readonly sink: Sink;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onReader: (reader: ReturnType<typeof createGroupReader>) => void;
  readonly onBatch: () => void;
}

/** Joins the group and reads until the signal aborts. */
async function consume({ kafka, config, sink, log, signal, onReader, onBatch }: Consuming): Promise<void> {
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
    const reader = createGroupReader({ admin, consumer, config, sink, log, onBatch, fail: ended.reject });
    onReader(reader);
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
