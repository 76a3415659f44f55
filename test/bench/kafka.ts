// `npm run bench:kafka`: how fast a topic becomes committed views, next to a kafkajs consumer that does nothing: by one
// thread that folds, and by all cores; and how soon an acknowledged event shows in the API's answer.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Producer } from "kafkajs";
import { VIEWS_RELAY } from "../../projector/publish/view-topic.ts";
import { createKafka } from "../../projector/source/kafka/client.ts";
import { endPositions } from "../../projector/source/kafka/end-offsets.ts";
import { openStore } from "../../projector/store/store.ts";
import { keysFile, readConfig } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import { createKey, openKeys } from "../../shared/keys.ts";
import { createLog } from "../../shared/log.ts";
import { generateHistory } from "../generate/history.ts";
import { partitionOf } from "../generate/partition.ts";
import { createTopics, topicNames } from "../harness/broker/create-topics.ts";
import { findBroker, startBroker } from "../harness/broker/find-broker.ts";
import { freePort } from "../harness/free-port.ts";
import { until } from "../harness/wait.ts";
import { table } from "./table.ts";

const RECORDS = 200_000;
const PARTITIONS = 4;
const RATE = 1_000;
const TICK_MS = 10;
const FRESHNESS_S = 20;
const silent = createLog("projector", "silent");

const kind = await findBroker();
if (!kind) process.exit(1);
const broker = await startBroker(kind);
const folder = mkdtempSync(join(tmpdir(), "bench-kafka-"));
const port = await freePort();
const env = {
  ...process.env,
  KAFKA_BROKERS: broker.brokers,
  DATABASE_DIR: folder,
  PORT: String(port),
  LOG_LEVEL: "error",
};
const config = readConfig(env);
const kafka = config.kafka as KafkaConfig;
const children: ChildProcess[] = [];

/** One thread folds into a folder, a group and a topic of views of its own. */
const ALONE = {
  FOLD_WORKERS: "1",
  DATABASE_DIR: join(folder, "one"),
  KAFKA_GROUP_ID: "one",
  KAFKA_TOPIC_LEAD_VIEW: "one.lead_view",
};

try {
  const client = createKafka(kafka, silent);
  const admin = client.admin();
  await admin.connect();
  await createTopics(admin, [...topicNames(kafka), ALONE.KAFKA_TOPIC_LEAD_VIEW], PARTITIONS);
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  await fill(producer);
  const idle = await idleSeconds();
  const alone = await fold(ALONE);
  alone.projector.kill("SIGTERM");
  await once(alone.projector, "exit");
  const all = await fold({ FOLD_WORKERS: String(availableParallelism()) });
  const fresh = await freshness(producer);
  await producer.disconnect();
  table(
    ["what", "value"],
    [
      ["broker", broker.kind],
      ["kafkajs consumer that does nothing", `${Math.round(RECORDS / idle)} events/s`],
      ["cores", String(availableParallelism())],
      ...[
        { what: "folded by one thread", seconds: alone.seconds },
        { what: "folded", seconds: all.seconds },
      ].map(({ what, seconds }) => [
        what,
        `${Math.round(RECORDS / seconds)} events/s: ${(idle / seconds).toFixed(3)} of that`,
      ]),
      ["folded and published", `${(idle / all.publishedSeconds).toFixed(3)} of that`],
      ["aims", "0.45 and 0.35 by all cores"],
      [`freshness at ${RATE} events/s, p50`, `${fresh.p50.toFixed(1)} ms`],
      [
        `freshness at ${RATE} events/s, p99 (aim: under 50)`,
        `${fresh.p99.toFixed(1)} ms, of ${fresh.probes} probes`,
      ],
    ],
  );
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  console.log(
    JSON.stringify({
      kafkaRatio: round(idle / all.seconds),
      oneWorkerRatio: round(idle / alone.seconds),
      publishedRatio: round(idle / all.publishedSeconds),
      onePublishedRatio: round(idle / alone.publishedSeconds),
      freshnessP50Ms: round(fresh.p50),
      freshnessP99Ms: round(fresh.p99),
    }),
  );
} finally {
  for (const child of children) child.kill("SIGKILL");
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function fill(producer: Producer): Promise<void> {
  let waiting: ReturnType<typeof messageOf>[] = [];
  const flush = async () => {
    const byTopic = Map.groupBy(waiting, ({ topic }) => topic);
    waiting = [];
    await producer.sendBatch({
      topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })),
    });
  };
  for (const { topic, leadId, value } of generateHistory({ leads: 1e9, seed: 1, records: RECORDS })) {
    waiting.push(messageOf(topic, leadId, value));
    if (waiting.length === 1_000) await flush();
  }
  await flush();
}

function messageOf(topic: string, leadId: string, value: string | null) {
  return {
    topic: kafka.topics.get(topic) as string,
    key: leadId,
    value,
    partition: partitionOf(leadId, PARTITIONS),
  };
}

/** From the start of the consumer to its last record. */
async function idleSeconds(): Promise<number> {
  const consumer = createKafka(kafka, silent).consumer({ groupId: "idle" });
  await consumer.connect();
  await consumer.subscribe({ topics: [...kafka.topics.values()], fromBeginning: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  let started = 0;
  consumer.on("consumer.group_join", () => {
    started = performance.now();
  });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      seen += batch.messages.length;
      if (seen >= RECORDS) resolve();
    },
  });
  await promise;
  const seconds = (performance.now() - started) / 1_000;
  await consumer.disconnect();
  return seconds;
}

function startChild(name: "projector" | "api", over: Record<string, string> = {}): ChildProcess {
  const main = new URL(`../../${name}/main.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, ["--no-warnings", main], {
    env: { ...env, ...over },
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.push(child);
  return child;
}

/** Seconds from the projector's joining of the group to its last record, and until the topic of views has them all. */
async function fold(over: Record<string, string>) {
  const ends = await endPositions(kafka, silent);
  const own = readConfig({ ...env, ...over });
  mkdirSync(own.databaseDir, { recursive: true });
  const store = openStore(viewFile(own));
  const projector = startChild("projector", over);
  const folded = () => store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
  await until("the group to be joined", () => store.positions.all().length === ends.length, 60_000);
  const started = performance.now();
  await until("all records to be folded", () => folded() >= RECORDS, 300_000);
  const seconds = (performance.now() - started) / 1_000;
  const last = store.db.prepare<[], number>("SELECT max(number) FROM lead_view").pluck().get() as number;
  await until("all views to be published", () => store.relays.position(VIEWS_RELAY) >= last, 300_000);
  const publishedSeconds = (performance.now() - started) / 1_000;
  store.close();
  return { projector, seconds, publishedSeconds };
}

/** Writes at a steady rate and probes how long after its acknowledgement an event shows. */
async function freshness(producer: Producer): Promise<{ p50: number; p99: number; probes: number }> {
  const keys = openKeys(keysFile(config));
  const key = createKey(keys, "ws-bench", "bench");
  keys.close();
  startChild("api");
  const agent = new Agent({ keepAlive: true });
  const leadId = "probe-lead";
  const envelope = (event: string, id: string, lead: string, data: object) =>
    JSON.stringify({
      id,
      event,
      occurredAt: "2026-03-01T00:00:00.000Z",
      workspaceId: "ws-bench",
      leadId: lead,
      data,
    });
  const send = (lead: string, event: string, id: string, data: object) =>
    messageOf("omni.lead", lead, envelope(event, id, lead, data));
  const leads = Array.from({ length: 200 }, (_, index) => `bench-lead-${index}`);
  const created = [leadId, ...leads].map((lead) =>
    send(lead, "lead.created", `c-${lead}`, { firstName: "Bench" }),
  );
  await producer.sendBatch({
    topicMessages: [{ topic: kafka.topics.get("omni.lead") as string, messages: created }],
  });
  const read = () => answer(agent, leadId, key);
  await until("the API", async () => (await read().catch(() => "")).includes("Bench"), 30_000);
  const times: number[] = [];
  let stopped = false;
  const load = (async () => {
    for (let n = 0, next = performance.now(); !stopped; next += TICK_MS) {
      const messages = Array.from({ length: (RATE * TICK_MS) / 1_000 }, () =>
        send(leads[n % leads.length] as string, "lead.updated", `u-${n}`, {
          activitySummary: `Round ${n++}`,
        }),
      );
      void producer.send({ topic: kafka.topics.get("omni.lead") as string, messages });
      await delay(Math.max(0, next + TICK_MS - performance.now()));
    }
  })();
  const end = performance.now() + FRESHNESS_S * 1_000;
  for (let probe = 0; performance.now() < end; probe++) {
    const mark = `probe ${probe} of freshness`;
    const message = send(leadId, "lead.updated", `p-${probe}`, { activitySummary: mark });
    await producer.send({ topic: kafka.topics.get("omni.lead") as string, messages: [message] });
    const acknowledged = performance.now();
    while (!(await read()).includes(mark)) await delay(1);
    times.push(performance.now() - acknowledged);
    await delay(20);
  }
  stopped = true;
  await load;
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] as number;
  return { p50: at(0.5), p99: at(0.99), probes: times.length };
}

async function answer(agent: Agent, leadId: string, key: string): Promise<string> {
  const url = `http://127.0.0.1:${port}/api/v1/leads/${leadId}`;
  const request = get(url, { agent, headers: { "x-api-key": key } });
  const [response] = await once(request, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return body;
}
