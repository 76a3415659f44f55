import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Producer } from "kafkajs";
import { createDecoder } from "../../../projector/decode/decode.ts";
import { createLiveProjection } from "../../../projector/projection/live-projection.ts";
import { runProjection } from "../../../projector/projection/run.ts";
import { createKafka } from "../../../projector/source/kafka/client.ts";
import { endPositions } from "../../../projector/source/kafka/end-offsets.ts";
import { createKafkaSource } from "../../../projector/source/kafka/kafka-source.ts";
import { openStore, type Store } from "../../../projector/store/store.ts";
import { readConfig } from "../../../shared/config.ts";
import { viewFile } from "../../../shared/generation.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createLog } from "../../../shared/log.ts";
import { generateHistory } from "../../generate/history.ts";
import { partitionOf } from "../../generate/partition.ts";
import { createRandom } from "../../generate/random.ts";
import { createTopics, topicNames } from "../../harness/broker/create-topics.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { until } from "../../harness/wait.ts";

export interface CrashResult {
  readonly kills: number;
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
  readonly differingViews: number;
}

export interface CrashPlan {
  readonly kills: number;
  readonly events: number;
  /** After so many kills of a projector the broker is killed too. */
  readonly brokerEvery: number;
  readonly seed: number;
  /** Threads that each projector folds in, from the first record on. */
  readonly workers: number;
  readonly onProgress?: (line: string) => void;
}

const MAIN = fileURLToPath(new URL("../../../projector/main.ts", import.meta.url));
const PARTITIONS = 4;
const CHUNK = 250;
/** One record in so many is not JSON: each must be a dead letter exactly once. */
const BAD_EVERY = 500;
const CATCH_UP_MS = 300_000;
const silent = createLog("projector", "silent");

/**
 * Kills projectors, two of one group on one database, at random moments while a producer writes, and the broker too;
 * then compares what they made with an uninterrupted fold of the same topics.
 */
export async function crashRun(plan: CrashPlan): Promise<CrashResult> {
  const folder = mkdtempSync(join(tmpdir(), "crash-"));
  const broker = await startHostBroker({ isBrief: true });
  const env = {
    ...process.env,
    KAFKA_BROKERS: broker.brokers,
    KAFKA_SESSION_TIMEOUT_MS: "2000",
    DATABASE_DIR: folder,
    LOG_LEVEL: "error",
    FOLD_WORKERS: String(plan.workers),
    FOLD_WORKERS_FROM: "0",
  };
  const config = readConfig(env);
  const kafka = config.kafka as KafkaConfig;
  const random = createRandom(plan.seed);
  const members = [startMember(env), startMember(env)];
  try {
    const producer = await prepare(kafka);
    for (const member of members) member.start();
    const producing = produce(producer, kafka, plan);
    let kills = 0;
    while (kills < plan.kills) {
      await delay(200 + random.integer(0, 2_500));
      const member = members[random.integer(0, 1)] as Member;
      await member.kill();
      member.start();
      kills++;
      if (kills % plan.brokerEvery === 0) {
        await broker.kill?.();
        await broker.start?.();
      }
      plan.onProgress?.(`${kills} kills, ${producing.sent()} events sent`);
    }
    await producing.done;
    await producer.disconnect();
    const file = viewFile(config);
    const store = openStore(file);
    await caughtUp(store, kafka);
    for (const member of members) await member.kill();
    plan.onProgress?.("comparing with an uninterrupted fold");
    const reference = await uninterrupted(kafka, join(folder, "reference.sqlite"));
    const result = { kills, events: plan.events, ...compare(store, reference) };
    store.close();
    reference.close();
    return result;
  } finally {
    for (const member of members) await member.kill();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Member {
  start(): void;
  kill(): Promise<void>;
}

function startMember(env: NodeJS.ProcessEnv): Member {
  let child: ChildProcess | undefined;
  const start = () => {
    child = spawn(process.execPath, ["--no-warnings", MAIN], {
      env,
      stdio: ["ignore", "inherit", "inherit"],
    });
  };
  return {
    start,
    async kill() {
      const running = child;
      child = undefined;
      if (!running || running.exitCode !== null || running.signalCode !== null) return;
      running.kill("SIGKILL");
      await once(running, "exit");
    },
  };
}

async function prepare(config: KafkaConfig): Promise<Producer> {
  const kafka = createKafka(config, silent);
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, topicNames(config), PARTITIONS);
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  return producer;
}

/** Writes a generated history, at a pace that lasts about as long as the kills do. */
function produce(producer: Producer, config: KafkaConfig, { events, kills, seed }: CrashPlan) {
  let sent = 0;
  const pauseMs = (kills * 1_600) / (events / CHUNK);
  const run = async () => {
    let chunk: { topic: string; partition: number; key: string; value: string | null; timestamp: string }[] =
      [];
    const flush = async () => {
      const byTopic = Map.groupBy(chunk, ({ topic }) => topic);
      chunk = [];
      const batch = {
        acks: -1,
        topicMessages: [...byTopic].map(([topic, messages]) => ({
          topic: config.topics.get(topic) as string,
          messages,
        })),
      };
      // A broker that is down is waited for; what it had taken already is then there twice, for both folds alike.
      while (
        !(await producer.sendBatch(batch).then(
          () => true,
          () => false,
        ))
      )
        await delay(500);
      await delay(pauseMs);
    };
    for (const { topic, leadId, timestamp, value } of generateHistory({
      leads: events,
      seed,
      records: events,
    })) {
      const isBad = ++sent % BAD_EVERY === 0;
      const partition = partitionOf(leadId, PARTITIONS);
      chunk.push({
        topic,
        partition,
        key: leadId,
        value: isBad ? "{not json" : value,
        timestamp: String(timestamp),
      });
      if (chunk.length === CHUNK) await flush();
    }
    await flush();
  };
  const done = run();
  done.catch(() => undefined);
  return { done, sent: () => sent };
}

/** Waits until the stored positions are at the end of every topic. */
async function caughtUp(store: Store, config: KafkaConfig): Promise<void> {
  const ends = await endPositions(config, silent);
  const reached = () => {
    const next = new Map(
      store.positions.all().map((one) => [`${one.topic}/${one.partition}`, one.nextOffset]),
    );
    return ends.every(
      ({ topic, partition, nextOffset }) => (next.get(`${topic}/${partition}`) ?? -1) >= nextOffset,
    );
  };
  await until("the projectors to catch up", reached, CATCH_UP_MS);
}

async function uninterrupted(config: KafkaConfig, file: string): Promise<Store> {
  const store = openStore(file);
  const stopping = new AbortController();
  const { signal } = stopping;
  const log = createLog("projector", "warn");
  const source = createKafkaSource({ ...config, groupId: "uninterrupted", sessionTimeoutMs: 30_000 }, log);
  const decode = createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined });
  const projection = createLiveProjection({ store, decode, log: silent, signal });
  const running = runProjection({ source, projection, signal });
  await Promise.race([caughtUp(store, config), running]);
  stopping.abort();
  await running;
  return store;
}

function compare(store: Store, reference: Store): Pick<CrashResult, "lost" | "doubled" | "differingViews"> {
  const views = (from: Store) =>
    new Map(
      from.db
        .prepare<[], [string, Buffer | null, string | null]>("SELECT lead_id, body, url_slots FROM lead_view")
        .raw()
        .all()
        .map(([id, body, slots]) => [id, `${body?.toString("base64")} ${slots}`]),
    );
  const [mine, theirs] = [views(store), views(reference)];
  const ids = new Set([...mine.keys(), ...theirs.keys()]);
  const letters = (from: Store) =>
    from.db
      .prepare<[], string>(`SELECT topic || "partition" || '/' || "offset" FROM dead_letter`)
      .pluck()
      .all();
  const [myLetters, theirLetters] = [letters(store), new Set(letters(reference))];
  const distinct = new Set(myLetters);
  const erased = (from: Store) =>
    from.db.prepare<[], number>("SELECT coalesce(sum(dropped), 0) FROM erased").pluck().get() as number;
  const droppedTooOften = Math.max(0, erased(store) - erased(reference));
  const missing = [...theirs.keys()].filter((id) => !mine.has(id)).length;
  return {
    lost: theirLetters.difference(distinct).size + missing,
    doubled: myLetters.length - distinct.size + droppedTooOften,
    differingViews: [...ids].filter((id) => mine.get(id) !== theirs.get(id)).length,
  };
}
