// `npm run bench:shards`: one shard held to one core next to two shards held to a core each, on the same events, which are on
// the broker already; reads through the node of another shard next to those through the right one; how far a replica is
// behind. The broker takes its share of the same cores, as everything here does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Producer } from "kafkajs";
import { createKafka } from "../../../projector/source/kafka/client.ts";
import { endPositions } from "../../../projector/source/kafka/end-offsets.ts";
import { readConfig } from "../../../shared/config.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createLog } from "../../../shared/log.ts";
import { partitionOfWorkspace, shardOfWorkspace } from "../../../shared/shard.ts";
import { generateHistory } from "../../generate/history.ts";
import { createTopics, topicNames } from "../../harness/broker/create-topics.ts";
import { findBroker, startBroker } from "../../harness/broker/find-broker.ts";
import { freePort } from "../../harness/free-port.ts";
import { until } from "../../harness/wait.ts";
import { table } from "../table.ts";
import { createNodes } from "./nodes.ts";
import { timeReads } from "./reads.ts";
import { replicaBehind } from "./replica-behind.ts";

const RECORDS = Number(process.env["BENCH_RECORDS"] ?? 300_000);
const PARTITIONS = 8;
const WORKSPACES = 40;
const [FIRST_CORE, SECOND_CORE] = [0, 1];
/** A workspace of the first shard. */
const BUSY = Array.from({ length: WORKSPACES }, (_, at) => `ws-${at + 1}`).find(
  (id) => shardOfWorkspace(id, 2) === 0,
) as string;

const kind = await findBroker();
if (!kind) process.exit(1);
const broker = await startBroker(kind);
const folder = mkdtempSync(join(tmpdir(), "bench-shards-"));
const env = {
  ...process.env,
  KAFKA_BROKERS: broker.brokers,
  WORKSPACE_PARTITIONS: String(PARTITIONS),
  LOG_LEVEL: "error",
};
const kafka = readConfig(env).kafka as KafkaConfig;
const silent = createLog("projector", "silent");
const client = createKafka(kafka, silent);
const nodes = createNodes(folder, env);
type Node = Awaited<ReturnType<typeof nodes.node>>;

try {
  const admin = client.admin();
  await admin.connect();
  await createTopics(admin, topicNames(kafka), PARTITIONS);
  await admin.disconnect();
  // What a slow broker makes it send again is written once.
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const share = await fill(producer);
  for (let at = 1; at <= WORKSPACES; at++) nodes.keyOf(`ws-${at}`);

  const whole = await nodes.node("whole", { KAFKA_GROUP_ID: "whole" });
  const ends = await endPositions(kafka, silent);
  const records = ends.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
  if (records !== RECORDS) throw new Error(`the topics hold ${records} records, not ${RECORDS}`);
  const one = await foldSeconds([whole], [FIRST_CORE], RECORDS);
  const ports = [await freePort(), await freePort()];
  const settings = {
    KAFKA_GROUP_ID: "halves",
    SHARD_URLS: ports.map((port) => `http://127.0.0.1:${port}`).join(","),
  };
  const halves = await Promise.all(
    ports.map((port, index) => nodes.node(`half-${index}`, { ...settings, SHARD: `${index}/2` }, port)),
  );
  const two = await foldSeconds(halves, [FIRST_CORE, SECOND_CORE], RECORDS, true);
  const differingViews = compare(whole, halves);

  for (const half of halves) await half.startApi();
  const [right, wrong] = halves as [Node, Node];
  const leads = leadsOf(right);
  const [near, far] = [await timeReads(right.address, leads), await timeReads(wrong.address, leads)];

  const replica = await nodes.node("replica", { ROLE: "replica", KAFKA_GROUP_ID: "halves" });
  replica.startProjector();
  await replica.startApi();
  const isReady = () => fetch(`${replica.address}/health/ready`).then((answer) => answer.ok);
  await until("the replica", () => isReady().catch(() => false), 300_000);
  // It is ready from the first minute behind on: what it still takes in of the history would be counted with the changes.
  const views = (node: Node) => {
    const store = node.store();
    const count = store.views.count();
    store.close();
    return count;
  };
  const isWhole = () => views(replica) === halves.reduce((sum, half) => sum + views(half), 0);
  await until("the replica to have all views", isWhole, 300_000);
  const behind = await replicaBehind(
    right.address,
    replica.address,
    nodes.keyOf(BUSY),
    await speaker(producer),
  );

  const twoShardsToOne = one.seconds / two.seconds;
  const rate = (seconds: number) => `${Math.round(RECORDS / seconds)} events/s`;
  table(
    ["what", "value"],
    [
      ["broker", broker.kind],
      ["events of the larger of the two shards", `${Math.round(share * 100)} %`],
      ["one shard, one core", rate(one.seconds)],
      ["two shards, a core each", rate(two.seconds)],
      ["two to one (aim: 1.6 or more)", twoShardsToOne.toFixed(2)],
      [
        "reads through the right node",
        `${Math.round(near.perSecond)}/s, p50 ${ms(near.p50)}, p99 ${ms(near.p99)}`,
      ],
      [
        "reads through the other node",
        `${Math.round(far.perSecond)}/s, p50 ${ms(far.p50)}, p99 ${ms(far.p99)}`,
      ],
      [
        "a replica behind the owner",
        `p50 ${ms(behind.p50)}, p99 ${ms(behind.p99)}, of ${behind.changes} changes, after 3 s at that rate`,
      ],
      ["views that differ from the unsharded fold's", String(differingViews)],
    ],
  );
  const round = (value: number) => Math.round(value * 100) / 100;
  console.log(
    JSON.stringify({
      twoShardsToOne: round(twoShardsToOne),
      forwardedP99Ms: round(far.p99),
      replicaBehindP99Ms: round(behind.p99),
      differingViews,
    }),
  );
  await producer.disconnect();
} finally {
  nodes.close();
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

/** Writes the history, partitioned by workspace; returns the larger shard's share of it. */
async function fill(producer: Producer): Promise<number> {
  type Waiting = {
    readonly topic: string;
    readonly key: string;
    readonly value: string | null;
    readonly partition: number;
  };
  let waiting: Waiting[] = [];
  const ofShard = [0, 0];
  const flush = async () => {
    const byTopic = Map.groupBy(waiting, ({ topic }) => topic);
    waiting = [];
    await producer.sendBatch({
      topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })),
    });
  };
  const history = generateHistory({ leads: 1e9, seed: 1, records: RECORDS, workspaces: WORKSPACES });
  for (const { topic, leadId, workspaceId, value } of history) {
    const index = shardOfWorkspace(workspaceId, 2);
    ofShard[index] = (ofShard[index] ?? 0) + 1;
    const partition = partitionOfWorkspace(workspaceId, PARTITIONS);
    waiting.push({ topic: kafka.topics.get(topic) as string, key: leadId, value, partition });
    if (waiting.length === 2_000) await flush();
  }
  await flush();
  return Math.max(...ofShard) / RECORDS;
}

/** From the first stored position of any of them to the last of all. */
async function foldSeconds(
  all: readonly Node[],
  cores: readonly number[],
  records: number,
  keepsRunning = false,
): Promise<{ readonly seconds: number }> {
  const stores = all.map((node) => node.store());
  const children = all.map((node, index) => node.startProjector(cores[index]));
  const folded = () =>
    stores.reduce(
      (sum, { positions }) => sum + positions.all().reduce((own, { nextOffset }) => own + nextOffset, 0),
      0,
    );
  const isJoined = () => stores.every(({ positions }) => positions.all().length > 0);
  await until("the group to be joined", isJoined, 60_000);
  const started = performance.now();
  await until("all records to be folded", () => folded() >= records, 600_000);
  const seconds = (performance.now() - started) / 1_000;
  for (const store of stores) store.close();
  if (!keepsRunning) for (const child of children) await nodes.stop(child);
  return { seconds };
}

/** The views of a database by lead id. */
function viewsOf(node: Node): Map<string, string> {
  const store = node.store();
  const rows = store.db
    .prepare<[], { readonly id: string; readonly body: Buffer }>(
      "SELECT lead_id AS id, body FROM lead_view WHERE body IS NOT NULL",
    )
    .all();
  store.close();
  return new Map(rows.map(({ id, body }) => [id, body.toString("latin1")]));
}

function compare(unsharded: Node, shards: readonly Node[]): number {
  const expected = viewsOf(unsharded);
  const found = new Map(shards.flatMap((node) => [...viewsOf(node)]));
  const ids = new Set([...expected.keys(), ...found.keys()]);
  return [...ids].filter((id) => expected.get(id) !== found.get(id)).length;
}

/** A thousand leads of a node's own, each with a key that reads it. */
function leadsOf(node: Node) {
  const store = node.store();
  const rows = store.db
    .prepare<[], { readonly leadId: string; readonly workspaceId: string }>(
      "SELECT lead_id AS leadId, workspace_id AS workspaceId FROM lead_view WHERE body IS NOT NULL LIMIT 1000",
    )
    .all();
  store.close();
  return rows.map(({ leadId, workspaceId }) => ({ leadId, key: nodes.keyOf(workspaceId) }));
}

/** Changes of some leads of one workspace of the first shard. */
async function speaker(producer: Producer): Promise<(changes: number) => Promise<void>> {
  const topic = kafka.topics.get("omni.lead") as string;
  const partition = partitionOfWorkspace(BUSY, PARTITIONS);
  let said = 0;
  const message = (event: string, leadId: string, data: object) => {
    const id = `bench-${said++}`;
    const occurredAt = new Date().toISOString();
    return {
      key: leadId,
      partition,
      value: JSON.stringify({ id, event, occurredAt, workspaceId: BUSY, leadId, data }),
    };
  };
  const leads = Array.from({ length: 500 }, (_, index) => `busy-${index}`);
  await producer.send({ topic, messages: leads.map((leadId) => message("lead.created", leadId, {})) });
  return async (changes) => {
    const messages = Array.from({ length: changes }, () =>
      message("lead.updated", leads[said % leads.length] as string, { activitySummary: `Change ${said}` }),
    );
    await producer.send({ topic, messages });
  };
}
