import type { Admin, Producer } from "kafkajs";
import { createBackOff } from "../../shared/back-off.ts";
import { delay, monotonic, wallClock } from "../../shared/clock.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { type Shard, shardName } from "../../shared/shard.ts";
import { createKafka } from "../source/kafka/client.ts";
import { ensureSmallTopic } from "../source/kafka/create-topics.ts";
import type { Store } from "../store/store.ts";
import { type FloorRecord, floorMessage } from "./floor-record.ts";
import { mendAfterRestore, noticeRestore } from "./restored.ts";
import { TOO_LARGE_REASON } from "./topic-channel.ts";
import type { TopicEnds } from "./topic-ends.ts";

/** Milliseconds between two looks: how much later than the view itself a replica knows that all before it has come. */
const LOOK_MS = 25;
/** Milliseconds between two records where nothing changes: the relay says that it lives. */
const HEARTBEAT_MS = 1_000;
/** Milliseconds between two looks whether the topic of views is still the one that was written. */
const CHECK_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

export interface FloorParts {
  readonly config: KafkaConfig;
  readonly store: Store;
  /** The name of the relay whose progress it is. */
  readonly relay: string;
  readonly shard: Shard;
  readonly ends: TopicEnds;
  /** Why the projector is not ready; undefined where it is. */
  readonly reason: () => string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Says again and again up to which change the topic of views has everything, until the signal aborts. No trouble leaves
 * this function, and nothing else waits for it.
 */
export async function publishFloor(parts: FloorParts): Promise<void> {
  const { config, log, signal } = parts;
  let mending: Promise<void> | undefined;
  const backOff = createBackOff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
  while (!signal.aborted) {
    const kafka = createKafka(config, log, { retries: 1 });
    const admin = kafka.admin();
    const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
    try {
      await admin.connect();
      await ensureSmallTopic(admin, config, config.floorTopic);
      await producer.connect();
      // Before anything is told of less.
      if (mending === undefined) await noticeRestore(parts);
      mending ??= mendUntilDone(parts);
      await tellFloor(parts, admin, producer, backOff.reset);
    } catch (error) {
      if (signal.aborted) break;
      const { message } = error as Error;
      log.warn(
        { topic: config.floorTopic, error: message, retryInMs: backOff.nextMs() },
        "replicas can't be told how far it is",
      );
    } finally {
      await Promise.all([producer, admin].map((one) => one.disconnect().catch(() => undefined)));
    }
    await backOff.wait(signal);
  }
  await mending;
}

/** Done beside: what is told is true of what was published, whatever is published yet. */
async function mendUntilDone(parts: FloorParts): Promise<void> {
  const { log, signal } = parts;
  const backOff = createBackOff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
  while (!signal.aborted) {
    try {
      return await mendAfterRestore(parts);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        { error: (error as Error).message, retryInMs: backOff.nextMs() },
        "what was told can't be compared with what is here",
      );
      await backOff.wait(signal);
    }
  }
}

async function tellFloor(
  { config, store, relay, shard, ends, reason, log, signal }: FloorParts,
  admin: Admin,
  producer: Producer,
  onTold: () => void,
): Promise<void> {
  /** How far the fold was at a number; told once the topic has everything up to that. */
  let aim: { readonly number: number; readonly positions: FloorRecord["positions"] } | undefined;
  let positions: FloorRecord["positions"] = [];
  let told = "";
  let toldAt = Number.NEGATIVE_INFINITY;
  let checkedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    if (monotonic() - checkedAt > CHECK_MS) {
      checkedAt = monotonic();
      const topic = config.leadViewTopic;
      if (!(await ends.check(() => endsOf(admin, topic), signal)))
        log.warn({ topic }, "the topic of views has less than was published: all is published again");
    }
    const offsets = ends.offsets();
    // Others wait for a shard that has nothing to tell: it gives no number below the clock any more.
    if (shard.count > 1 && monotonic() - toldAt > HEARTBEAT_MS)
      store.transaction(() => store.numbers.raise(Math.floor(wallClock() * 1_000)));
    if (offsets) {
      // All of it in one turn of the event loop, in which nothing is folded or published.
      const floor = floorOf(store, relay);
      aim ??= { number: store.numbers.last(), positions: foldedPositions(store) };
      if (floor.number >= aim.number) {
        positions = aim.positions;
        aim = undefined;
      }
      const record = {
        shard: shardName(shard),
        ...floor,
        offsets: Object.fromEntries(offsets),
        positions,
        reason: reason() ?? null,
      };
      const text = JSON.stringify(record);
      if (text !== told || monotonic() - toldAt > HEARTBEAT_MS) {
        const messages = [floorMessage({ ...record, at: wallClock() })];
        await producer.send({ topic: config.floorTopic, acks: -1, messages });
        told = text;
        toldAt = monotonic();
        onTold();
      }
    }
    await delay(LOOK_MS, signal);
  }
}

/** Up to which change everything was passed on, and the first one that was not. */
function floorOf(
  { views, relays, setAsides, numbers }: Store,
  relay: string,
): Pick<FloorRecord, "number" | "next"> {
  const waiting = [views.firstBehind(relays.position(relay)), setAsides.lowest(relay, TOO_LARGE_REASON)];
  const next = Math.min(...waiting.map((number) => number ?? Number.POSITIVE_INFINITY));
  return next === Number.POSITIVE_INFINITY
    ? { number: numbers.last(), next: null }
    : { number: next - 1, next };
}

const foldedPositions = ({ positions }: Store): FloorRecord["positions"] =>
  positions.all().map(({ topic, partition, nextOffset }) => ({ topic, partition, nextOffset }));

/** The offset that the next record of each partition will have. */
async function endsOf(admin: Admin, topic: string): Promise<ReadonlyMap<number, number>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}
