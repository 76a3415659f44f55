// The projector on a real broker.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type kafkajs from "kafkajs";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishDeadLetters } from "../../../projector/publish/dead-letter-topic.ts";
import { SourceError } from "../../../projector/source/source.ts";
import { TOPICS } from "../../../shared/events/catalogue.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, startProjector, testConfig } from "../../harness/kafka.ts";
import { deadLettersOf, viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

describe.skipIf(inject("brokers") === "")("the projector on Kafka", () => {
  let config: ReturnType<typeof testConfig>;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let speaker: ReturnType<typeof createSpeaker>;
  let folder: string;
  const projectors: ReturnType<typeof startProjector>[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "kafka-test-"));
    config = testConfig();
    cluster = await openCluster(config);
    speaker = createSpeaker();
  });
  afterEach(async () => {
    for (const projector of projectors.splice(0)) await projector.stop();
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (file = join(folder, "views.sqlite"), more: Partial<typeof config> = {}) => {
    const projector = startProjector({ ...config, ...more }, file);
    projectors.push(projector);
    return projector;
  };
  const stop = async (projector: ReturnType<typeof startProjector>) => {
    projectors.splice(projectors.indexOf(projector), 1);
    await projector.stop();
  };
  const created = (leadId: string, data = {}) => speaker.say({ leadId, event: "lead.created", data });
  const updated = (leadId: string, firstName: string) =>
    speaker.say({ leadId, event: "lead.updated", data: { firstName } });
  const nameOf = (projector: ReturnType<typeof startProjector>, leadId: string) =>
    JSON.parse(viewsOf(projector.store)[leadId]?.body ?? "{}").lead?.firstName;
  const failure = async (projector: ReturnType<typeof startProjector>) => {
    const error = await projector.running.then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(SourceError);
    return (error as Error).message;
  };

  test("folds what is there and what comes, and resumes from the stored positions", async () => {
    await cluster.produce([created("a"), updated("a", "Ann")]);
    const first = start();
    await until("the first view", () => nameOf(first, "a") === "Ann");
    await cluster.produce([updated("a", "Anna")]);
    await until("the update", () => nameOf(first, "a") === "Anna");
    await stop(first);
    await cluster.produce([updated("a", "Annie")]);
    const second = start();
    await until("the update while away", () => nameOf(second, "a") === "Annie");
    expect(deadLettersOf(second.store)).toEqual([]);
  });

  test.each(Object.entries({ none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }))(
    "reads what a producer compressed with %s",
    async (_name, compression) => {
      const projector = start();
      await cluster.produce(
        [created("a"), ...Array.from({ length: 50 }, (_, n) => updated("a", `Ünï ${n}`))],
        compression,
      );
      await until("the last update", () => nameOf(projector, "a") === "Ünï 49");
    },
  );

  test("a group offset that is ahead of the database makes no hole", async () => {
    await cluster.produce([created("a"), updated("a", "Ann")]);
    const name = config.topics.get(TOPICS.lead) as string;
    await cluster.admin.setOffsets({
      groupId: config.groupId,
      topic: name,
      partitions: [{ partition: 0, offset: "2" }],
    });
    const projector = start();
    await until("the view, from offset 0", () => nameOf(projector, "a") === "Ann");
  });

  test("control records and aborted transactions are passed over, open ones waited for", async () => {
    const projector = start();
    const transactional = cluster.kafka.producer({
      transactionalId: `tx-${config.groupId}`,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await transactional.connect();
    const send = async (records: ReturnType<typeof created>[], end: "commit" | "abort") => {
      const transaction = await transactional.transaction();
      for (const { topic, key, value } of records) {
        await transaction.send({
          topic: config.topics.get(topic) as string,
          messages: [{ key, value, partition: 0 }],
        });
      }
      await transaction[end]();
    };
    await send([created("a"), updated("a", "Ann")], "commit");
    await until("the committed transaction", () => nameOf(projector, "a") === "Ann");
    await send([updated("a", "never")], "abort");
    await send([updated("a", "Anna")], "commit");
    await until("the next committed transaction", () => nameOf(projector, "a") === "Anna");
    await transactional.disconnect();
    await stop(projector);
    await cluster.produce([updated("a", "Annie")]);
    const second = start();
    await until("the update behind control records", () => nameOf(second, "a") === "Annie");
    expect(deadLettersOf(second.store)).toEqual([]);
  });

  test("a dead letter is published byte for byte, with Kafka Connect's headers", async () => {
    const projector = start();
    const bad = Buffer.from([0xff, 0x00, 0x7b]);
    const headers = { trace: "t-1", raw: Buffer.from([1, 2, 255]) };
    await cluster.produce([
      speaker.record(TOPICS.lead, { value: bad, headers, key: Buffer.from([9, 8]) }),
      created("a"),
    ]);
    await until("the next event", () => viewsOf(projector.store).a !== undefined);
    const stopping = new AbortController();
    const publishing = publishDeadLetters(config, projector.store, silent, stopping.signal);
    const consumer = cluster.kafka.consumer({ groupId: `read-${config.groupId}`, maxWaitTimeInMs: 200 });
    const { promise, resolve } = Promise.withResolvers<kafkajs.KafkaMessage>();
    await consumer.connect();
    await consumer.subscribe({ topics: [config.deadLetterTopic], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => resolve(message) });
    const letter = await promise;
    expect(letter.value).toEqual(bad);
    expect(letter.key).toEqual(Buffer.from([9, 8]));
    const text = Object.fromEntries(
      Object.entries(letter.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(letter.headers?.raw).toEqual(headers.raw);
    expect(text).toMatchObject({
      trace: "t-1",
      "__connect.errors.topic": config.topics.get(TOPICS.lead),
      "__connect.errors.partition": "0",
      "__connect.errors.offset": "0",
      "__connect.errors.exception.class.name": "not_utf8",
    });
    await until("the mark", () => projector.store.deadLetters.waiting() === 0);
    await consumer.disconnect();
    stopping.abort();
    await publishing;
  });

  test("records that retention deleted before they were folded stop the projector with what to do", async () => {
    await cluster.produce([created("a")]);
    const first = start();
    await until("the view", () => viewsOf(first.store).a !== undefined);
    await stop(first);
    await cluster.produce([updated("a", "Ann"), updated("a", "Anna")]);
    const topic = config.topics.get(TOPICS.lead) as string;
    // kafkajs finds the partition's leader only once it has asked for the topic's offsets.
    await cluster.admin.fetchTopicOffsets(topic);
    await cluster.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "2" }] });
    expect(await failure(start())).toMatch(
      /next record to fold is 1, but the broker has deleted all before 2.*npx lead-view rebuild/,
    );
  });

  test("a topic that was recreated stops the projector, whether it is shorter or as long", async () => {
    await cluster.produce([created("a"), updated("a", "Ann")]);
    const first = start();
    await until("the view", () => nameOf(first, "a") === "Ann");
    await stop(first);
    const topic = config.topics.get(TOPICS.lead) as string;
    await cluster.admin.deleteTopics({ topics: [topic] });
    await until("the topic to be gone", async () => !(await cluster.admin.listTopics()).includes(topic));
    await cluster.create([topic]);
    expect(await failure(start())).toMatch(/ends at 0, but was folded up to 2.*recreated/);
    const other = createSpeaker();
    await cluster.produce(["x", "y", "z"].map((leadId) => other.say({ leadId, event: "lead.created" })));
    expect(await failure(start())).toMatch(/another record at offset 1.*recreated/);
  });

  test("a topic that grew stops the projector with what to do", async () => {
    await cluster.produce([created("a")]);
    const first = start();
    await until("the view", () => viewsOf(first.store).a !== undefined);
    await stop(first);
    const topic = config.topics.get(TOPICS.lead) as string;
    await cluster.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    expect(await failure(start())).toMatch(/grew from 2 to 3 partitions.*npx lead-view archive/);
  });

  test("a missing topic stops the projector with the command that creates it", async () => {
    const topics = new Map(config.topics).set(TOPICS.webhook, "not-there");
    expect(await failure(start(undefined, { topics }))).toMatch(/no topic not-there.*npx lead-view topics/);
  });

  test("a broker that is not there is waited for", async () => {
    const projector = start(undefined, { brokers: ["127.0.0.1:1"] });
    const outcome = await Promise.race([
      projector.running.then(
        () => "ended",
        (error) => String(error),
      ),
      new Promise((resolve) => setTimeout(resolve, 3_000, "waiting")),
    ]);
    expect(outcome).toBe("waiting");
  });
});
