// A replica follows the topic of views and answers as the projector's own host does, to the byte.
import { randomBytes } from "node:crypto";
import { cpSync } from "node:fs";
import { join } from "node:path";
import kafkajs from "kafkajs";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { createMonitor } from "../../../projector/ops/monitor.ts";
import { createOpsServer } from "../../../projector/ops/ops-server.ts";
import { messageOf } from "../../../projector/publish/view-record.ts";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { createKafkaSource } from "../../../projector/source/kafka/kafka-source.ts";
import { wholeTopics } from "../../../projector/source/kafka/whole-topics.ts";
import { type Batch, type Position, partitionName } from "../../../projector/source/source.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { readConfig } from "../../../shared/config.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { shardOfWorkspace } from "../../../shared/shard.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { NOT_ENOUGH_REPLICAS, startKafkaProxy } from "../../harness/kafka-proxy.ts";
import { openProjector } from "../../harness/projector.ts";
import { openReplica, rowsOf } from "../../harness/replica.ts";
import { openStream } from "../../harness/sse.ts";
import { until } from "../../harness/wait.ts";

const PARTITIONS = 3;
/** The shard, of two, of the workspace that the tests' leads are in; `ws-2` is in the other one. */
const HOME = shardOfWorkspace("ws-1", 2);

describe.skipIf(inject("brokers") === "")("a replica", () => {
  let api: ReturnType<typeof openApi>;
  let config: KafkaConfig;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let replica: ReturnType<typeof openReplica>;
  let stopRelay: () => Promise<void>;
  let speaker: ReturnType<typeof createSpeaker>;

  beforeEach(async () => {
    api = openApi();
    speaker = createSpeaker();
    config = testConfig();
    cluster = await openCluster(config, PARTITIONS);
    replica = openReplica(config, api.databaseDir);
    stopRelay = async () => undefined;
  });
  afterEach(async () => {
    await replica.close();
    await stopRelay();
    await cluster.close();
    await api.close();
  });

  const startRelay = (through: KafkaConfig = config, store = api.projector.store) => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const running = publishViews(through, store, { log: silent, signal, tracing: passingOn });
    stopRelay = async () => {
      stopping.abort();
      await running;
    };
  };
  const fold = (...records: ReturnType<typeof speaker.say>[]) => api.projector.foldBatch(records);
  const create = (leadId: string, data: Record<string, unknown> = {}) =>
    speaker.say({ leadId, event: "lead.created", data });
  const rename = (leadId: string, firstName: string) =>
    speaker.say({ leadId, event: "lead.updated", data: { firstName } });
  const erase = (leadId: string) => speaker.record("omni.lead", { key: Buffer.from(leadId) });
  /** The replica's rows are the projector's. */
  const same = () =>
    until("the replica to have what the projector has", () => {
      const [mine, theirs] = [rowsOf(api.projector.store.db), replica.rows()];
      return JSON.stringify(mine) === JSON.stringify(theirs);
    });
  const answers = async (url: string, headers: Record<string, string> = {}) => {
    const given = { method: "GET", url, headers: { "x-api-key": api.key, ...headers } } as const;
    const both = [await api.server.inject(given), await replica.server().inject(given)];
    return both.map(({ statusCode, headers: { etag }, body }) => ({ statusCode, etag, body }));
  };

  test("answers reads, parts and searches as the projector's host does; an erased lead is gone from its files", async () => {
    fold(
      create("lead-1", { email: "A@Example.com", phoneNumber: "678 231 9992", externalLeadId: "x-1" }),
      create("lead-2", { email: "a@example.com", firstName: "Zoë 😀" }),
      speaker.say({ event: "document.received", data: { id: "d", filename: "f.pdf", storageKey: "k/ü 1" } }),
      speaker.say({ event: "document.received", data: { id: "e", storageKey: "k/2" } }),
      speaker.say({
        event: "action_log.created",
        data: { id: "log", type: "MESSAGE", big: 12345678901234567890n.toString() },
      }),
      create("canary", { firstName: "Canary-of-the-replica" }),
      create("gone"),
    );
    fold(erase("gone"));
    startRelay();
    await replica.start();
    await replica.ready();
    await same();
    for (const url of [
      "/api/v1/leads/lead-1",
      "/api/v1/leads/lead-2",
      "/api/v1/leads/gone",
      "/api/v1/leads/lead-1/documents",
      "/api/v1/leads/lead-1/action-logs",
      "/api/v1/leads?email=a@example.com",
      "/api/v1/leads?externalLeadId=x-1",
      "/api/v1/leads?phoneNumber=%2B16782319992&status=IN_PROGRESS",
      "/api/v1/leads?limit=1",
    ]) {
      const [projector, other] = await answers(url);
      expect(other, url).toEqual(projector);
    }
    const [first] = await answers("/api/v1/leads/lead-1");
    const conditional = await answers("/api/v1/leads/lead-1", { "if-none-match": String(first?.etag) });
    expect(conditional.map(({ statusCode }) => statusCode)).toEqual([304, 304]);
    fold(erase("canary"), rename("lead-2", "Two"));
    await same();
    await until("the files to be rewritten", () => !replica.holds("Canary-of-the-replica"));
    expect(replica.outboxes()).toMatchObject([{ relay: "replica", waiting: 0, setAside: 0, held: 0 }]);
  });

  test("streams tell what comes late too, and who resumes elsewhere is passed over by nothing", async () => {
    const late = leadsOfPartition(2, 2);
    const prompt = leadsOfPartition(0, 2);
    let refuses = false;
    const proxy = await startKafkaProxy(config.brokers[0] as string, ({ topic, partition }) =>
      refuses && topic === config.leadViewTopic && partition === 2
        ? { error: NOT_ENOUGH_REPLICAS }
        : undefined,
    );
    try {
      fold(...[...late, ...prompt].map((leadId) => create(leadId)));
      startRelay({ ...config, brokers: [proxy.brokers] });
      await replica.start();
      await replica.ready();
      await same();
      const stream = await open(replica.server());
      await until("all leads, and that it is all", () =>
        stream.events.some(({ event }) => event === "caught_up"),
      );
      expect(stream.changes()).toHaveLength(4);
      refuses = true;
      fold(rename(late[0] as string, "Late"));
      fold(rename(prompt[0] as string, "Prompt"));
      const toldOf = (leadId: string, firstName: string) => () =>
        stream.changes().find(({ data }) => data.leadId === leadId && data.view.lead.firstName === firstName);
      const promptEvent = await until("the prompt change", toldOf(prompt[0] as string, "Prompt"));
      const { number: lateNumber } = api.projector.store.views.get(late[0] as string) as { number: number };
      expect(promptEvent.data.version).toBeGreaterThan(lateNumber);
      expect(promptEvent.id).toBeLessThan(lateNumber);
      // Resumed on the projector's host, which knows of both.
      const resumed = await open(api.server, { "last-event-id": String(promptEvent.id) });
      await until("the late change, there", () =>
        resumed.changes().some(({ data }) => data.leadId === late[0]),
      );
      refuses = false;
      await until("the late change, here", toldOf(late[0] as string, "Late"));
      await same();
      // Behind what the projector's host told, and this one may not have yet, nothing begins anew.
      fold(rename(prompt[1] as string, "Last"));
      const told = await until("the last change, there", () =>
        resumed.changes().find(({ data }) => data.leadId === prompt[1]),
      );
      const back = await open(replica.server(), { "last-event-id": String(told.id) });
      fold(rename(late[1] as string, "After"));
      await until("what came after it", () => back.changes().some(({ data }) => data.leadId === late[1]));
      expect(back.events.some(({ event }) => event === "reset")).toBe(false);
      const versions = Map.groupBy(stream.changes(), ({ data }) => data.leadId);
      for (const list of versions.values())
        expect(list.map(({ data }) => data.version)).toEqual(list.map(({ data }) => data.version).sort());
      const ids = stream.events.map(({ id }) => id).filter((id) => !Number.isNaN(id));
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      for (const one of [stream, resumed, back]) one.kill();
    } finally {
      await proxy.stop();
    }
  });

  test("waits by version and by position, as the projector's host does", async () => {
    fold(create("lead-1"), create("lead-2"));
    startRelay();
    await replica.start();
    await replica.ready();
    await same();
    fold(rename("lead-1", "Waited for"));
    const { number } = api.projector.store.views.get("lead-1") as { number: number };
    const get = (leadId: string, headers: Record<string, string>) =>
      replica
        .server()
        .inject({ url: `/api/v1/leads/${leadId}`, headers: { "x-api-key": api.key, ...headers } });
    expect((await get("lead-1", { "x-wait-for-version": String(number) })).json().lead.firstName).toBe(
      "Waited for",
    );
    // Of another lead: all up to that change is here.
    expect((await get("lead-2", { "x-wait-for-version": String(number) })).statusCode).toBe(200);
    const renamed = rename("lead-2", "By position");
    fold(renamed);
    const position = `omni.lead/0/${renamed.offset}`;
    const answer = await get("lead-2", { "x-wait-for-position": position });
    expect([answer.statusCode, answer.json().lead?.firstName]).toEqual([200, "By position"]);
    expect((await get("lead-2", { "x-wait-for-version": String(number * 2) })).statusCode).toBe(504);
  });

  test("follows two shards at once: what one of them has not told yet is waited for, and neither takes back the other's", async () => {
    const other = openProjector();
    const relays: (() => Promise<void>)[] = [];
    const start = (index: number, store: typeof other.store) => {
      startRelay({ ...config, shard: { index, count: 2 } }, store);
      relays.push(stopRelay);
    };
    // As each shard's database has it: it stands at the beginning of the other one's partitions.
    const unread = { topic: "omni.lead", nextOffset: 0, last: null, cursor: null };
    api.projector.store.positions.put({ ...unread, partition: 1 - HOME });
    other.store.positions.put({ ...unread, partition: HOME });
    const sayOther = (event: string, data = {}) => {
      const record = {
        ...speaker.say({ leadId: "far", workspaceId: "ws-2", event, data }),
        partition: 1 - HOME,
      };
      other.foldBatch([record]);
      return `omni.lead/${record.partition}/${record.offset}`;
    };
    const sayHome = (...records: ReturnType<typeof create>[]) =>
      fold(...records.map((record) => ({ ...record, partition: HOME })));
    const get = (leadId: string, key: string, headers: Record<string, string> = {}) =>
      replica.server().inject({ url: `/api/v1/leads/${leadId}`, headers: { "x-api-key": key, ...headers } });
    try {
      sayHome(create("near", { firstName: "Near" }));
      sayOther("lead.created", { firstName: "Far" });
      start(HOME, api.projector.store);
      await replica.start();
      await until("the other shard to be missed", () => /not been heard of/.test(replica.reason() ?? ""));
      start(1 - HOME, other.store);
      await replica.ready();
      const both = { ...rowsOf(api.projector.store.db), ...rowsOf(other.store.db) };
      await until("both", () => Object.keys(replica.rows()).length === 2);
      expect(replica.rows()).toEqual(both);
      const position = sayOther("lead.updated", { firstName: "Farther" });
      const far = () => get("far", api.otherKey, { "x-wait-for-position": position });
      expect((await far()).json().lead?.firstName).toBe("Farther");
      // Whoever speaks last says nothing of the other one's partitions.
      await relays[1]?.();
      const nearer = rename("near", "Nearer");
      sayHome(nearer);
      const near = { "x-wait-for-position": `omni.lead/${HOME}/${nearer.offset}` };
      expect((await get("near", api.key, near)).json().lead?.firstName).toBe("Nearer");
      expect((await far()).statusCode).toBe(200);
    } finally {
      for (const stop of relays) await stop();
      other.close();
    }
  });

  test("what happens while it is away reaches it: erases, a topic that is created again, a lead that is no more", async () => {
    fold(create("kept"), create("away", { firstName: "Canary-while-away" }), create("changed"));
    startRelay();
    await replica.start();
    await replica.ready();
    await cluster.producer.send({ topic: config.leadViewTopic, messages: [ghost()] });
    await until("the ghost", () => replica.rows()["ghost"] !== undefined);
    await replica.stop();
    fold(erase("away"), rename("changed", "Changed"));
    await replica.start();
    await until("the erase", () => !replica.holds("Canary-while-away"));
    await replica.stop();
    await stopRelay();
    await cluster.admin.deleteTopics({ topics: [config.leadViewTopic] });
    await replica.start();
    await until("the reason", () => replica.reason()?.includes("Kafka has no topic"));
    await until("the topic", () =>
      cluster.admin
        .createTopics({
          waitForLeaders: true,
          topics: [{ topic: config.leadViewTopic, numPartitions: PARTITIONS, replicationFactor: 1 }],
        })
        .catch(() => false),
    );
    fold(rename("kept", "Kept"));
    startRelay();
    await replica.ready();
    await until("the ghost to be gone", () => (replica.rows()["ghost"] as { body: unknown }).body === null);
    const rows = () => ({ ...replica.rows(), ghost: undefined });
    await until("all else", () => JSON.stringify(rows()) === JSON.stringify(rowsOf(api.projector.store.db)));
  });

  test("what the topic can't tell it is listed, and shown once it is told", async () => {
    fold(create("lead-1"));
    startRelay();
    await replica.start();
    await replica.ready();
    const messages = [{ key: "lead-9", value: "{}", headers: { version: "7" } }];
    await cluster.producer.send({ topic: config.leadViewTopic, messages });
    await until("it to be set aside", () => replica.outboxes()[0]?.held === 1);
    fold(create("lead-9"));
    await same();
    expect(replica.outboxes()).toMatchObject([{ relay: "replica", waiting: 0, setAside: 0, held: 0 }]);
  });

  test("a view that is larger than the topic takes is fetched from the projector's host; until then its lead is answered 503", async () => {
    const own = await createViewTopic({ "max.message.bytes": "100000" });
    const activitySummary = randomBytes(150_000).toString("hex");
    fold(create("small"), create("large", { activitySummary }));
    startRelay(own);
    await replica.start(own);
    await replica.ready();
    await until("the reference", () => replica.outboxes()[0]?.held === 1);
    const status = async (leadId: string, key = api.key) =>
      (await replica.server().inject({ url: `/api/v1/leads/${leadId}`, headers: { "x-api-key": key } }))
        .statusCode;
    expect([await status("large"), await status("small"), await status("large", api.otherKey)]).toEqual([
      503, 200, 404,
    ]);
    await replica.stop();
    const ops = await serveOps(api);
    await replica.start(own, { PROJECTOR_URL: ops.address, OPS_KEY });
    await same();
    expect([await status("large"), replica.outboxes()[0]?.held]).toEqual([200, 0]);
    fold(rename("large", "Larger"));
    await same();
    await ops.close();
  });

  test("a replica may start from a copy of another one's folder", async () => {
    fold(create("lead-1"), create("gone"));
    startRelay();
    await replica.start();
    await replica.ready();
    await same();
    await replica.stop();
    const copy = openReplica(config, api.databaseDir);
    try {
      cpSync(replica.databaseDir, copy.databaseDir, { recursive: true });
      fold(erase("gone"), rename("lead-1", "Since"));
      await copy.start();
      await until("what changed since", () => {
        const [mine, theirs] = [rowsOf(api.projector.store.db), copy.rows()];
        return JSON.stringify(mine) === JSON.stringify(theirs);
      });
    } finally {
      await copy.close();
    }
  });

  test("cut off for a while, and for longer than the topic keeps tombstones, it ends with what the projector has", async () => {
    const proxy = await startKafkaProxy(config.brokers[0] as string, () => undefined);
    try {
      const own = await createViewTopic({
        "cleanup.policy": "compact",
        "segment.ms": "200",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "100",
      });
      const leads = Array.from({ length: 20 }, (_, index) => `lead-${index}`);
      fold(
        ...leads.map((leadId) => create(leadId, { firstName: "First" })),
        create("canary", { firstName: "Canary-cut-off" }),
      );
      startRelay(own);
      await replica.start({ ...own, brokers: [proxy.brokers] });
      await replica.ready();
      await same();
      proxy.refuse(true);
      const cutAt = performance.now();
      fold(erase("canary"));
      const hasCanary = async () => (await keysIn(own.leadViewTopic)).has("canary");
      await until("the tombstone to be compacted away", async () => {
        fold(...leads.map((leadId) => rename(leadId, `${performance.now()}`)));
        return performance.now() - cutAt > 4_000 && !(await hasCanary());
      });
      expect(replica.holds("Canary-cut-off")).toBe(true);
      proxy.refuse(false);
      await until(
        "the lead to be gone",
        () => (replica.rows()["canary"] as { body: unknown }).body === null,
        45_000,
      );
      await until("its bytes to be gone", () => !replica.holds("Canary-cut-off"));
      const others = ({ canary, ...rows }: Record<string, unknown>) => JSON.stringify(rows);
      await until("all others", () => others(replica.rows()) === others(rowsOf(api.projector.store.db)));
    } finally {
      await replica.stop();
      await proxy.stop();
    }
  });

  /** The settings with a topic of views of other settings of the broker's. */
  const createViewTopic = async (entries: Readonly<Record<string, string>>): Promise<KafkaConfig> => {
    const leadViewTopic = `${config.leadViewTopic}-own`;
    const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
    await cluster.admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic: leadViewTopic, numPartitions: PARTITIONS, replicationFactor: 1, configEntries }],
    });
    await until("the topic", () =>
      cluster.admin.fetchTopicMetadata({ topics: [leadViewTopic] }).catch(() => false as const),
    );
    return { ...config, leadViewTopic };
  };

  /** The keys of the records that a topic holds now. */
  const keysIn = async (topic: string): Promise<Set<string>> => {
    const keys = new Set<string>();
    const source = createKafkaSource(wholeTopics(config, "look", { any: topic }), silent);
    const positions = new Map<string, Position>();
    const handle = async (batch: Batch) => {
      for (const { key } of batch.records) keys.add(String(key));
      for (const position of batch.positions) positions.set(partitionName(position), position);
    };
    await source.readToEnd(
      { positions: () => [...positions.values()], handle },
      new AbortController().signal,
    );
    return keys;
  };

  test("a projector's database that is an older copy, of a log that lost what came since: no number goes back, all end alike", async () => {
    fold(create("lead-1", { firstName: "Kept" }), create("still"));
    startRelay();
    await replica.start();
    await replica.ready();
    await same();
    const copy = join(api.databaseDir, "copy.sqlite");
    api.projector.store.db.prepare("VACUUM INTO ?").run(copy);
    fold(rename("lead-1", "Lost"), create("never", { firstName: "Was" }));
    await same();
    await stopRelay();
    const seen = Object.entries(replica.rows()) as [string, { number: number }][];
    const restored = openProjector(copy);
    try {
      startRelay(config, restored.store);
      await until("the rows of the copy", () => {
        const [mine, theirs] = [rowsOf(restored.store.db), replica.rows()];
        return Object.keys(mine).length === 3 && JSON.stringify(mine) === JSON.stringify(theirs);
      });
      const rows = replica.rows() as Record<string, { number: number; body: Buffer | null }>;
      for (const [leadId, { number }] of seen) expect(rows[leadId]?.number).toBeGreaterThanOrEqual(number);
      expect(rows["never"]?.body).toBeNull();
      expect(String(rows["lead-1"]?.body)).toContain("Kept");
      expect(rows["still"]?.number).toBe(seen.find(([leadId]) => leadId === "still")?.[1].number);
    } finally {
      await stopRelay();
      restored.close();
    }
  });

  const open = async (server: typeof api.server, headers: Record<string, string> = {}) => {
    const address = server.server.listening ? addressOf(server) : await server.listen({ port: 0 });
    const from = headers["last-event-id"] === undefined ? "?from=start" : "";
    return openStream(`${address}/api/v1/lead-views/events${from}`, { "x-api-key": api.key, ...headers });
  };
  const addressOf = (server: typeof api.server) =>
    `http://127.0.0.1:${(server.server.address() as { port: number }).port}`;
});

const OPS_KEY = "a key of the operator's";

/** The projector's own server, which replicas ask for large views. */
async function serveOps({ databaseDir, projector: { store } }: ReturnType<typeof openApi>) {
  const monitor = createMonitor(
    { role: "projector", databaseDir, publishes: true, mostLagSeconds: 60 },
    () => undefined,
  );
  const source = {
    ends: () => [],
    owns: () => true,
    trouble: () => undefined,
    run: async () => {},
    readToEnd: async () => {},
  };
  monitor.observe({ store, source, endpoints: { all: () => [], fact: () => undefined }, generation: 1 });
  const server = await createOpsServer({
    monitor,
    registry: new Registry(),
    config: readConfig({ DATABASE_DIR: databaseDir }),
    key: OPS_KEY,
    log: silent,
  });
  const address = await server.listen({ host: "127.0.0.1", port: 0 });
  return {
    address,
    async close() {
      monitor.stop();
      await server.close();
    },
  };
}

const partitionOf = kafkajs.Partitioners.DefaultPartitioner();

/** Ids of leads whose views go to a partition. */
function leadsOfPartition(partition: number, count: number): string[] {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionId,
    leader: 1,
  }));
  return Array.from({ length: 100 }, (_, index) => `lead-${index}`)
    .filter(
      (leadId) =>
        partitionOf({
          topic: "",
          partitionMetadata: partitionMetadata as never,
          message: { key: leadId, value: null },
        }) === partition,
    )
    .slice(0, count);
}

/** A lead that the topic knows and the projector does not, as one that was erased and whose tombstone is gone. */
function ghost() {
  const body = Buffer.from('{"lead":{"id":"ghost"},"status":"IN_PROGRESS"}');
  return messageOf(
    {
      leadId: "ghost",
      workspaceId: "ws-1",
      number: 7,
      status: "IN_PROGRESS",
      sectionNumbers: "[]",
      sectionEnds: JSON.stringify([22, 23, 24, 25, 26, 27, 28, 29, 30]),
      traceparent: null,
      urlSlots: null,
      body,
    },
    undefined,
  );
}
