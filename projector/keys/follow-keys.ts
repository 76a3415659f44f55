import { after, delay } from "../../shared/clock.ts";
import { type Config, keysFile } from "../../shared/config.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import { applyKeyChange, type KeyChange, keysKnownHere, openKeys } from "../../shared/keys.ts";
import type { Logger } from "../../shared/log.ts";
import type { Connection } from "../../shared/sqlite.ts";
import { persistently } from "../projection/persistently.ts";
import { createKafka, isKafkaTrouble } from "../source/kafka/client.ts";
import { ensureSmallTopic } from "../source/kafka/create-topics.ts";
import { createKafkaSource } from "../source/kafka/kafka-source.ts";
import { wholeTopics } from "../source/kafka/whole-topics.ts";
import {
  type Batch,
  type Position,
  partitionName,
  recordPositionName,
  type Source,
  SourceError,
  type SourceRecord,
} from "../source/source.ts";
import { readKeyRecord } from "./key-record.ts";
import { publishKeys } from "./publish-keys.ts";

/** What positions call the topic of keys, whatever the broker calls it. */
const KEYS = "omni.lead_view.keys";
const RETRY_MS = 1_000;
const LOOK_MS = 20;
/** Milliseconds that a command waits for the topic. */
const LONGEST_MS = 30_000;

/** Brings the topic of keys into this node's own store (rule: keys everywhere). */
export interface KeysFollower {
  /** Why this node may not know yet which keys are good; undefined where it does. */
  reason(): string | undefined;
  /** Resolves once it was told to stop. Broker trouble is waited out. */
  readonly ended: Promise<void>;
}

/**
 * Follows the topic of keys from its beginning, at each start, until the signal aborts: the topic wins over what this node
 * has, and what only this node has, of a time without Kafka, is written into the topic.
 */
export function followKeys(config: Config, log: Logger, signal: AbortSignal): KeysFollower {
  const { kafka } = config;
  if (kafka === undefined) return { reason: () => undefined, ended: Promise.resolve() };
  let isUpToDate = false;
  let trouble: string | undefined;
  const onRead = () => {
    isUpToDate = true;
  };
  const run = async (): Promise<void> => {
    const db = openKeys(keysFile(config));
    try {
      while (!signal.aborted) {
        try {
          await readKeys({ kafka, db, log, signal, onRead });
        } catch (error) {
          const isPassing =
            isKafkaTrouble(error) || (error instanceof SourceError && error.sign !== undefined);
          if (!isPassing) throw error;
          log.warn(
            { error: (error as Error).message, retryInMs: RETRY_MS },
            "the topic of keys can't be followed",
          );
          await delay(RETRY_MS, signal);
        }
      }
    } finally {
      db.close();
    }
  };
  const ended = run();
  ended.catch(() => undefined);
  return {
    reason() {
      if (isUpToDate) return undefined;
      return trouble === undefined
        ? "the topic of keys is read first: until then a revoked key may be good here"
        : `the topic of keys can't be followed, so that a revoked key may be good here: ${trouble}`;
    },
    ended,
  };
}

/**
 * Brings the store up to date with the topic once.
 * @throws Error where the topic can't be read
 */
export async function bringKeysUpToDate(kafka: KafkaConfig, db: Connection, log: Logger): Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const deadline = after(LONGEST_MS, () => stopping.abort());
  let isRead = false;
  const onRead = () => {
    isRead = true;
    stopping.abort();
  };
  await readKeys({ kafka, db, log, signal, onRead }).finally(() => deadline.stop());
  if (!isRead) throw new Error(`the topic ${kafka.keysTopic} could not be read: nothing was changed`);
}

interface ReadingKeys {
  readonly kafka: KafkaConfig;
  readonly db: Connection;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told when all that the topic held was read, and what only this node had is in the topic. */
  readonly onRead: () => void;
}

/** Reads the topic from its beginning on, since what it holds is little, and follows it until the signal aborts. */
async function readKeys({ kafka, db, log, signal, onRead }: ReadingKeys): Promise<void> {
  await ensureKeysTopic(kafka, log);
  const source = createKafkaSource(wholeTopics(kafka, "keys", { [KEYS]: kafka.keysTopic }), log);
  const positions = new Map<string, Position>();
  const ofTopic = new Set<string>();
  const stopping = new AbortController();
  const running = AbortSignal.any([signal, stopping.signal]);

  const handle = async ({ records, positions: reached, keepAlive }: Batch): Promise<void> => {
    const changes = records.flatMap((record) => changeOf(record, log));
    for (const { hash } of changes) ofTopic.add(hash.toString("hex"));
    const apply = db.transaction(() => changes.filter((change) => !applyKeyChange(db, change)));
    const done = await persistently(
      () => apply.immediate(),
      { log, signal: running },
      keepAlive,
      () => KEYS,
    );
    if (done === undefined) return;
    // A key that was revoked stays so, whoever says otherwise: the topic is to say it too.
    await publishKeys(
      kafka,
      done.result.map(({ hash }) => ({ hash, revoked: true })),
      log,
    );
    for (const position of reached) positions.set(partitionName(position), position);
  };

  /** What only this node has was made before there was a topic. */
  const adopt = async (): Promise<void> => {
    await untilRead(source, positions, running);
    if (running.aborted) return;
    const own = keysKnownHere(db).filter(({ hash }) => !ofTopic.has(hash.toString("hex")));
    await publishKeys(kafka, own, log);
    onRead();
  };

  const sink = { positions: () => [...positions.values()], handle };
  const adoption = adopt();
  adoption.catch(() => stopping.abort());
  try {
    await source.run(sink, running);
  } finally {
    stopping.abort();
  }
  await adoption;
}

function changeOf(record: SourceRecord, log: Logger): KeyChange[] {
  try {
    return [readKeyRecord(record)];
  } catch (error) {
    log.warn({ record: recordPositionName(record), error: (error as Error).message }, "it says of no key");
    return [];
  }
}

async function ensureKeysTopic(kafka: KafkaConfig, log: Logger): Promise<void> {
  const admin = createKafka(kafka, log).admin();
  try {
    await admin.connect();
    await ensureSmallTopic(admin, kafka, kafka.keysTopic);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Waits until all was read that the topic held when it was first looked at. */
async function untilRead(
  source: Source,
  positions: ReadonlyMap<string, Position>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const ends = source.ends();
    const isRead = ends.every((end) => (positions.get(partitionName(end))?.nextOffset ?? 0) >= end.end);
    if (source.trouble() === undefined && ends.length > 0 && isRead) return;
    await delay(LOOK_MS, signal);
  }
}
