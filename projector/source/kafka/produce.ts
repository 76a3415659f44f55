import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import kafkajs, { type Message, type Producer } from "kafkajs";
import { wallClock } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { ONLY_SHARD, partitionOfWorkspace } from "../../../shared/shard.ts";
import { createFileLog } from "../file-log/file-log.ts";
import { headersToJson } from "../headers.ts";
import { type Batch, type Position, partitionName, type Sink, type SourceRecord } from "../source.ts";
import { createKafka, kafkaErrorTypes } from "./client.ts";
import { partitionCounts } from "./history-check.ts";
import { messageHeaders } from "./kafka-headers.ts";
import { createKafkaSource } from "./kafka-source.ts";

/** Bytes of one request to one partition, before compression: a broker's default limit is a megabyte. */
const REQUEST_BYTES = 512 * 1024;

/** What came of an archive. */
export interface Produced {
  readonly written: number;
  /** Records that the topics had already. */
  readonly there: number;
}

export interface ProduceOptions {
  /** Tells whose a record is, where the topics are partitioned by workspace; absent = they are by key. */
  readonly workspaceOf?: ((record: SourceRecord) => string | undefined) | undefined;
  /** Told how many records are done. */
  readonly onRecord?: (records: number) => void;
}

/**
 * Writes an archive into the event topics by key or by workspace, in each partition in the archive's order. What a partition already has
 * of it, from its first record on, is not written again: so a run that failed is gone on with by running it again.
 * @throws Error where the folder is no archive, or a record can't be written; the message says which, and what to do
 */
export async function produceArchive(
  config: KafkaConfig,
  folder: string,
  log: Logger,
  { workspaceOf, onRecord = () => undefined }: ProduceOptions = {},
): Promise<Produced> {
  if (!existsSync(folder)) throw new Error(`${folder}: there is no such folder`);
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is a file, not the folder of an archive`);
  const kafka = createKafka(config, log);
  const counts = await countsOf(config, log);
  const known = await hashesInTopics(config, log);
  const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
  let [written, there, seen] = [0, 0, 0];
  const positions = new Map<string, Position>();

  const partitionsOf = (record: SourceRecord, count: number): number[] => {
    if (!workspaceOf) return [partitionOfKey(record, count)];
    const workspaceId = workspaceOf(record);
    if (workspaceId !== undefined) return [partitionOfWorkspace(workspaceId, count)];
    // An erase of a lead that nothing was told of: whose it is is not known, and it holds wherever it is folded.
    if (record.value === null) return Array.from({ length: count }, (_, partition) => partition);
    return [record.partition % count];
  };

  /** One without a key goes where it was, so that it goes there again. */
  const partitionOfKey = ({ topic, key, partition }: SourceRecord, count: number): number => {
    const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId }));
    if (key === null) return partition % count;
    return partitionOf({
      topic,
      partitionMetadata: partitionMetadata as never,
      message: { key, value: null },
    });
  };

  const handle = async (batch: Batch): Promise<void> => {
    const broken = batch.records.find(({ unreadable }) => unreadable !== undefined);
    if (broken)
      throw new Error(`${partitionName(broken)}, line of offset ${broken.offset}: ${broken.unreadable}`);
    seen += batch.records.length;
    const lanes = new Map<string, { readonly target: Target; readonly records: SourceRecord[] }>();
    for (const record of batch.records) {
      const { topic } = record;
      for (const partition of partitionsOf(record, counts.get(topic) as number)) {
        const name = partitionName({ topic, partition });
        if (known.get(name)?.has(record)) {
          there++;
          continue;
        }
        const lane = lanes.get(name) ?? { target: { topic, partition }, records: [] };
        lanes.set(name, lane);
        lane.records.push(record);
      }
    }
    const sent = await Promise.allSettled(
      [...lanes.values()].map(async ({ target, records }) => {
        for (const part of parts(records)) {
          await send(producer, config, target, part);
          written += part.length;
        }
      }),
    );
    const failed = sent.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    for (const position of batch.positions) positions.set(partitionName(position), position);
    onRecord(seen);
  };

  try {
    await producer.connect();
    const sink: Sink = { positions: () => [...positions.values()], handle };
    await createFileLog(folder).readToEnd(sink, new AbortController().signal);
    if (seen === 0)
      throw new Error(`${folder} holds no records: an archive has <topic>/<partition>.ndjson files`);
    return { written, there };
  } finally {
    await producer.disconnect();
  }
}

interface Target {
  readonly topic: string;
  readonly partition: number;
}

async function countsOf(config: KafkaConfig, log: Logger): Promise<ReadonlyMap<string, number>> {
  const admin = createKafka(config, log).admin();
  try {
    await admin.connect();
    return await partitionCounts(admin, config);
  } finally {
    await admin.disconnect();
  }
}

/** What a partition holds already, to be compared with what comes. */
interface PartitionContents {
  /** True where the next record that comes was written before; once one was not, nothing behind it was. */
  has(record: SourceRecord): boolean;
}

/**
 * Reads what the topics hold. What an earlier run wrote of an archive are the first of its records, in its order, though
 * others may have come between: they are found by walking along.
 */
async function hashesInTopics(
  config: KafkaConfig,
  log: Logger,
): Promise<ReadonlyMap<string, PartitionContents>> {
  const hashes = new Map<string, string[]>();
  const positions = new Map<string, Position>();
  const groupId = `${config.groupId}-produce-${process.pid}-${wallClock()}`;
  const source = createKafkaSource({ ...config, shard: ONLY_SHARD, groupId, temporaryGroup: true }, log);
  const sink: Sink = {
    positions: () => [...positions.values()],
    async handle(batch) {
      for (const record of batch.records) {
        const name = partitionName(record);
        if (record.offset < (positions.get(name)?.nextOffset ?? 0)) continue;
        const list = hashes.get(name) ?? [];
        hashes.set(name, list);
        list.push(hashOf(record));
      }
      for (const position of batch.positions) positions.set(partitionName(position), position);
    },
  };
  await source.readToEnd(sink, new AbortController().signal);
  return new Map([...hashes].map(([name, list]) => [name, walkAlong(list)]));
}

function walkAlong(hashes: readonly string[]): PartitionContents {
  let at = 0;
  let ended = false;
  return {
    has(record) {
      if (ended) return false;
      const found = hashes.indexOf(hashOf(record), at);
      if (found < 0) ended = true;
      else at = found + 1;
      return !ended;
    },
  };
}

/** All of a record but its time, which a topic may set itself. */
function hashOf({ key, value, headers }: SourceRecord): string {
  const hash = createHash("sha256").update(`${key?.length ?? -1} ${value?.length ?? -1} `);
  if (key) hash.update(key);
  if (value) hash.update(value);
  return hash.update(JSON.stringify(headersToJson(headers))).digest("base64");
}

/** A partition's records in requests that a broker takes. */
function* parts(records: readonly SourceRecord[]): Generator<SourceRecord[]> {
  let part: SourceRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = (record.value?.length ?? 0) + (record.key?.length ?? 0) + 256;
    if (part.length > 0 && bytes + size > REQUEST_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

async function send(
  producer: Producer,
  config: KafkaConfig,
  { topic, partition }: Target,
  records: readonly SourceRecord[],
): Promise<void> {
  const name = config.topics.get(topic) as string;
  const messages: Message[] = records.map(({ key, value, headers, timestamp }) => ({
    key,
    value,
    partition,
    headers: messageHeaders(headers),
    timestamp: String(timestamp),
  }));
  try {
    await producer.send({ topic: name, acks: -1, compression: kafkajs.CompressionTypes.GZIP, messages });
  } catch (error) {
    const tooLarge = kafkaErrorTypes(error).some((type) => /TOO_LARGE$/.test(type));
    const first = records[0] as SourceRecord;
    if (tooLarge && records.length === 1)
      throw new Error(
        `${partitionName(first)}, offset ${first.offset}: ${first.value?.length ?? 0} bytes are more than topic ${name} ` +
          "takes; raise its max.message.bytes, then run this again: it goes on behind what was written",
      );
    if (!tooLarge) throw error;
    // A topic with a small limit of its own.
    const half = records.length >> 1;
    await send(producer, config, { topic, partition }, records.slice(0, half));
    await send(producer, config, { topic, partition }, records.slice(half));
  }
}
