// `npm run produce -- --from DIR`: writes an archive, such as shared/example, into the event topics by key.
import { parseArgs } from "node:util";
import kafkajs, { type Message } from "kafkajs";
import { readConfig } from "../../../shared/config.ts";
import { createLog } from "../../../shared/log.ts";
import { createFileLog } from "../file-log/file-log.ts";
import { type Position, partitionName, type SourceRecord } from "../source.ts";
import { createKafka, hopeless } from "./client.ts";
import { messageHeaders } from "./kafka-headers.ts";

const { values } = parseArgs({ options: { from: { type: "string" } } });
const { kafka: config } = readConfig(process.env);

if (!config || !values.from) {
  console.error("usage: KAFKA_BROKERS=host:port npm run produce -- --from DIR");
  process.exitCode = 2;
} else {
  const log = createLog("projector", "warn");
  const producer = createKafka(config, log).producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  let produced = 0;
  const positions = new Map<string, Position>();
  const handle = async (batch: { records: readonly SourceRecord[]; positions: readonly Position[] }) => {
    const broken = batch.records.find(({ unreadable }) => unreadable !== undefined);
    if (broken)
      throw new Error(`${broken.topic}/${broken.partition}: a line can't be read: ${broken.unreadable}`);
    const byTopic = Map.groupBy(batch.records, ({ topic }) => topic);
    const topicMessages = [...byTopic].map(([topic, records]) => ({
      topic: config.topics.get(topic) as string,
      messages: records.map(messageOf),
    }));
    if (topicMessages.length > 0) await producer.sendBatch({ acks: -1, topicMessages });
    produced += batch.records.length;
    for (const position of batch.positions) positions.set(partitionName(position), position);
  };
  try {
    await producer.connect();
    const sink = { positions: () => [...positions.values()], handle };
    await createFileLog(values.from, { log }).readToEnd(sink, new AbortController().signal);
    console.log(`${produced} records written to ${config.brokers.join(",")}`);
  } catch (error) {
    console.error(`can't write to Kafka: ${(hopeless(error) ?? (error as Error)).message}`);
    process.exitCode = 1;
  } finally {
    await producer.disconnect();
  }
}

function messageOf({ key, value, headers, timestamp }: SourceRecord): Message {
  return { key, value, headers: messageHeaders(headers), timestamp: String(timestamp) };
}
