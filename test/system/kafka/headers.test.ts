// What Kafka allows in a record's headers, keys and times, as its own client sends it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishDeadLetters } from "../../../projector/publish/dead-letter-topic.ts";
import { archive } from "../../../projector/rebuild/archive.ts";
import { createFileLog } from "../../../projector/source/file-log/file-log.ts";
import { headersOfMessage, messageHeaders } from "../../../projector/source/kafka/kafka-headers.ts";
import { createKafkaSource } from "../../../projector/source/kafka/kafka-source.ts";
import {
  type Headers,
  NO_TIMESTAMP,
  type Sink,
  type SourceRecord,
} from "../../../projector/source/source.ts";
import { canRunJava, produceWithJava } from "../../harness/java/java-producer.ts";
import { openCluster, silent, startProjector, testConfig } from "../../harness/kafka.ts";
import { deadLettersOf, viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

const HEADERS: Headers = {
  text: Buffer.from("ünï"),
  bytes: Buffer.from([0, 255, 0x80]),
  empty: Buffer.alloc(0),
  none: null,
  many: [Buffer.from("a"), null, Buffer.from([255])],
  toString: Buffer.from("x"),
  constructor: [Buffer.from("y"), Buffer.from("z")],
  valueOf: null,
  "": Buffer.from("no name"),
  ...Object.fromEntries([["__proto__", Buffer.from("p")]]),
};
const EVENT = Buffer.from(
  '{"id":"e","event":"lead.created","occurredAt":"2026-03-01T00:00:00Z","workspaceId":"ws-1","leadId":"lead-1","data":{}}',
);
const key = Buffer.from("lead-1");

describe.skipIf(inject("brokers") === "")("headers on Kafka", () => {
  let config: ReturnType<typeof testConfig>;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "headers-"));
    config = testConfig();
    cluster = await openCluster(config);
  });
  afterEach(async () => {
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const topic = () => config.topics.get("omni.lead") as string;

  const producers: Record<
    string,
    (records: readonly Omit<SourceRecord, "topic" | "offset">[]) => Promise<unknown>
  > = {
    kafkajs: (records) =>
      cluster.producer.send({
        topic: topic(),
        messages: records.map(({ key, value, partition, headers }) => ({
          key,
          value,
          partition,
          headers: messageHeaders(headers),
        })),
      }),
    "Kafka's Java client": (records) =>
      produceWithJava(
        inject("brokers"),
        records.map((record) => ({ ...record, topic: topic() })),
        { timestamps: false, compression: "zstd" },
      ),
  };

  const producerOf = (client: string) => producers[client] as (typeof producers)[string];
  const available = Object.keys(producers).filter((client) => client === "kafkajs" || canRunJava());

  test.each(available)(
    "whatever headers %s sends: the event is folded, and a dead letter, its topic and an archive have them byte for byte",
    async (client) => {
      const record = { partition: 0, key, timestamp: 0, headers: HEADERS };
      await producerOf(client)([
        { ...record, value: Buffer.from("no event") },
        { ...record, value: EVENT },
      ]);
      const projector = startProjector(config, join(folder, "views.sqlite"));
      await until("both", () => projector.folded("omni.lead") === 2);
      expect(viewsOf(projector.store)["lead-1"]).toBeDefined();
      const at = { topic: "omni.lead", partition: 0, offset: 0 };
      expect(asBytes(projector.store.deadLetters.get(at)?.record.headers ?? {})).toEqual(asBytes(HEADERS));

      const stopping = new AbortController();
      const publishing = publishDeadLetters(config, projector.store, silent, stopping.signal);
      const published = await nextMessage();
      stopping.abort();
      await publishing;
      const ours = Object.entries(published).filter(([name]) => !name.startsWith("__connect.errors."));
      expect(asBytes(Object.fromEntries(ours))).toEqual(asBytes(HEADERS));

      await projector.stop();
      const out = join(folder, "archive");
      const source = createKafkaSource(
        { ...config, groupId: `${config.groupId}-archive`, temporaryGroup: true },
        silent,
      );
      await archive(source, out);
      expect(readFileSync(join(out, "omni.lead", "0.ndjson"), "utf8").split("\n")).toHaveLength(3);
      for (const archived of await recordsOf(out))
        expect(asBytes(archived.headers)).toEqual(asBytes(HEADERS));
    },
  );

  test("a record without a time has none: an event that needs it is a dead letter, and no time is made up", async () => {
    const body = (event: string) =>
      Buffer.from(`{"event":"${event}","workspaceId":"ws-1","data":{"leadId":"lead-1"}}`);
    const messages = ["lead.created", "lead.completed"].map((event) => ({
      key,
      value: body(event),
      partition: 0,
      timestamp: "-1",
    }));
    await cluster.producer.send({ topic: config.topics.get("omni.webhook") as string, messages });
    await cluster.producer.send({
      topic: topic(),
      messages: [{ key, value: EVENT, partition: 0, timestamp: "-1" }],
    });
    const projector = startProjector(config, join(folder, "views.sqlite"));
    await until("all", () => projector.folded("omni.webhook") === 2 && projector.folded("omni.lead") === 1);
    expect(deadLettersOf(projector.store).map(({ code }) => code)).toEqual(["no_time", "no_time"]);
    const at = { topic: "omni.webhook", partition: 0, offset: 0 };
    expect(projector.store.deadLetters.get(at)?.record.timestamp).toBe(NO_TIMESTAMP);
    expect(JSON.parse(viewsOf(projector.store)["lead-1"]?.body ?? "{}").lead.createdAt).toBeNull();
    await projector.stop();
  });

  /** The headers of the first dead letter on its topic. */
  async function nextMessage(): Promise<Headers> {
    const consumer = cluster.kafka.consumer({ groupId: `${config.groupId}-letters`, maxWaitTimeInMs: 200 });
    const { promise, resolve } = Promise.withResolvers<Headers>();
    await consumer.connect();
    await consumer.subscribe({ topic: config.deadLetterTopic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => resolve(headersOfMessage(message.headers)) });
    const headers = await promise;
    await consumer.disconnect();
    return headers;
  }

  async function recordsOf(archived: string): Promise<SourceRecord[]> {
    const records: SourceRecord[] = [];
    const sink: Sink = { positions: () => [], handle: async (batch) => void records.push(...batch.records) };
    await createFileLog(archived).readToEnd(sink, new AbortController().signal);
    return records;
  }
});

/** Headers in an order of their own, all values as bytes. */
function asBytes(headers: Headers): unknown[] {
  const one = (value: unknown) => (value === null ? null : Buffer.from(value as string).toString("hex"));
  return Object.entries(headers)
    .map(([name, value]): [string, unknown] => [name, Array.isArray(value) ? value.map(one) : one(value)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
