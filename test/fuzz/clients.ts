import { randomUUID } from "node:crypto";
import { CloudEvent, Kafka as KafkaBinding } from "cloudevents";
import type { Message } from "kafkajs";
import { messageHeaders } from "../../projector/source/kafka/kafka-headers.ts";
import { createKafkaSource } from "../../projector/source/kafka/kafka-source.ts";
import { NO_TIMESTAMP, type SourceRecord } from "../../projector/source/source.ts";
import { openStore } from "../../projector/store/store.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { createRandom, type Random } from "../generate/random.ts";
import { canRunJava, produceWithJava } from "../harness/java/java-producer.ts";
import { openCluster, silent, testConfig } from "../harness/kafka.ts";
import { createFindings, type DecoderFindings } from "./decoder.ts";
import { nastyText } from "./mutate.ts";
import { probeMember, withProbes } from "./probe.ts";
import { corpus, fuzzedHeaders, fuzzedRecord } from "./record.ts";

export interface ClientFindings extends DecoderFindings {
  /** The clients that made the records. */
  readonly clients: readonly string[];
}

/** Records that a client sends at once. */
const AT_ONCE = 5_000;
const A_BATCH = 200;

/**
 * Sends wrong records to a real broker by real clients, each as many, and folds what it gives back: kafkajs, Kafka's
 * own Java client where there is a compiler, and kafkajs with the records of the `cloudevents` package.
 * @param records of each client
 */
export async function fuzzClients(brokers: string, records: number, seed: number): Promise<ClientFindings> {
  const config = testConfig(brokers);
  const cluster = await openCluster(config, 1);
  const random = createRandom(seed);
  const seeds = corpus(seed);
  const byKafkajs: Send = async (list) => {
    // kafkajs makes one batch of what it is given, and a broker takes none beyond a megabyte.
    if (list.length > A_BATCH) {
      for (let from = 0; from < list.length; from += A_BATCH)
        await byKafkajs(list.slice(from, from + A_BATCH));
      return;
    }
    const compression = random.integer(0, 4);
    const topicMessages = [...Map.groupBy(list, ({ topic }) => topic)].map(([topic, some]) => ({
      topic,
      messages: some.map(messageOf),
    }));
    await cluster.producer.sendBatch({ topicMessages, compression });
  };
  const byJava: Send = (list) =>
    produceWithJava(brokers, list.map(sendable), {
      compression: random.pick(["none", "gzip", "snappy", "lz4", "zstd"]),
    });
  const fuzzed: Make = (offset) => withHeaders(random, fuzzedRecord(random, random.pick(seeds), offset));
  const clients: Record<string, { readonly make: Make; readonly send: Send }> = {
    kafkajs: { make: fuzzed, send: byKafkajs },
    ...(canRunJava() ? { java: { make: fuzzed, send: byJava } } : {}),
    cloudevents: { make: (offset) => cloudEvent(random, offset), send: byKafkajs },
  };
  let sent = 0;
  for (const { make, send } of Object.values(clients)) {
    for (let from = 0; from < records; from += AT_ONCE) {
      const list = Array.from({ length: Math.min(AT_ONCE, records - from) }, () => make(sent++));
      const known = list.filter(({ topic }) => config.topics.has(topic));
      await send(known.map((record) => ({ ...record, topic: config.topics.get(record.topic) as string })));
    }
  }
  const store = openStore(":memory:");
  const findings = createFindings(store);
  const source = createKafkaSource(config, silent);
  const read = await findings.read(source);
  store.close();
  await cluster.close();
  return { records: read, clients: Object.keys(clients), ...findings.found() };
}

type Make = (offset: number) => SourceRecord;
/** Sends records to the broker's topics that they name. */
type Send = (records: readonly SourceRecord[]) => Promise<void>;

const withHeaders = (random: Random, record: SourceRecord): SourceRecord => {
  const { topic, partition, offset, key, timestamp, value, headers } = record;
  const more = random.chance(0.3) ? fuzzedHeaders(random) : {};
  return { topic, partition, offset, key, timestamp, value, headers: { ...headers, ...more } };
};

/** The broker refuses times to come; below zero is only the one that says that there is none, which Java refuses. */
const timeWithin = (timestamp: number, earliest: number): number =>
  Math.max(earliest, Math.min(Date.now(), timestamp));

const sendable = (record: SourceRecord): SourceRecord => ({
  ...record,
  timestamp: timeWithin(record.timestamp, 0),
});

const messageOf = ({ key, value, headers, timestamp }: SourceRecord): Message => ({
  key,
  value,
  headers: messageHeaders(headers),
  timestamp: String(timeWithin(timestamp, NO_TIMESTAMP)),
  partition: 0,
});

/** An action log by the `cloudevents` package, in both of its modes, with a probe among its data. */
function cloudEvent(random: Random, number: number): SourceRecord {
  const leadId = `ce-${random.integer(0, 50)}`;
  const [name, mark] = probeMember(number);
  const isLead = random.chance(0.1);
  const event = new CloudEvent({
    id: random.chance(0.02) ? "again" : randomUUID(),
    type: isLead ? "lead.created" : "action_log.created",
    source: `/fuzz/${number % 3}`,
    subject: random.chance(0.95) ? leadId : nastyText(random).toWellFormed() || "x",
    partitionkey: leadId,
    workspaceid: "ws-1",
    ...(random.chance(0.5) ? { schemaversion: 1 } : {}),
    ...(random.chance(0.95) ? { datacontenttype: "application/json" } : {}),
    data: isLead
      ? {}
      : { id: `log-${number % 40}`, data: { id: "inner" }, event: "lead.deleted", [name]: mark },
  });
  const message = KafkaBinding[random.pick(["binary", "structured"] as const)](event) as {
    readonly key: string;
    readonly value: unknown;
    readonly headers: Readonly<Record<string, unknown>>;
  };
  const value = typeof message.value === "string" ? message.value : JSON.stringify(message.value);
  const headers = Object.entries(message.headers).filter(([, header]) => header !== undefined);
  return {
    topic: isLead ? TOPICS.lead : TOPICS.actionLog,
    partition: 0,
    offset: number,
    key: Buffer.from(message.key),
    timestamp: Date.now(),
    headers: Object.fromEntries(headers.map(([header, text]) => [header, String(text)])),
    value: Buffer.from(withProbes(value, random)),
  };
}
