import type { Admin, Consumer, EachBatchPayload, KafkaMessage } from "kafkajs";
import { expect, test } from "vitest";
import { createGroupReader } from "../../../../projector/source/kafka/group-reader.ts";
import { recordOfMessage } from "../../../../projector/source/kafka/kafka-record.ts";
import { type Batch, type Position, partitionName, recordHash } from "../../../../projector/source/source.ts";
import type { KafkaConfig } from "../../../../shared/kafka-config.ts";
import { silent } from "../../../harness/kafka.ts";

const TOPICS = ["omni.lead", "omni.checklist"];
const message = (offset: number): KafkaMessage =>
  ({ key: null, value: Buffer.from("{}"), timestamp: "0", offset: String(offset), headers: {} }) as never;

/** @param answer what the broker says of where a topic ends */
function open(positions: Position[], answer: (topic: string) => Promise<number>) {
  const handled: Batch[] = [];
  const current = new Map(positions.map((one) => [partitionName(one), one]));
  const reader = createGroupReader({
    admin: {
      fetchTopicOffsets: async (topic: string) => [
        { partition: 0, low: "0", high: String(await answer(topic)) },
      ],
    } as unknown as Admin,
    consumer: { seek: () => undefined } as unknown as Consumer,
    config: { topics: new Map(TOPICS.map((topic) => [topic, topic])) } as unknown as KafkaConfig,
    clusterId: "cluster",
    sink: {
      positions: () => [...current.values()],
      async handle(batch) {
        handled.push(batch);
        for (const one of batch.positions) current.set(partitionName(one), one);
      },
    },
    ownership: undefined,
    log: silent,
    onBatch: () => undefined,
    fail: (error) => {
      throw error;
    },
  });
  return {
    reader,
    handled,
    positionOf: (topic: string) => current.get(partitionName({ topic, partition: 0 })),
  };
}

const begun = (topic: string): Position => ({ topic, partition: 0, nextOffset: 0, last: null, cursor: null });

test("ends are told once those of all partitions are: some alone would pass for all that there is", async () => {
  const checklist = Promise.withResolvers<number>();
  const { reader } = open(TOPICS.map(begun), (topic) =>
    topic === "omni.lead" ? Promise.resolve(0) : checklist.promise,
  );
  reader.assigned({ "omni.lead": [0], "omni.checklist": [0] });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(reader.ends()).toEqual([]);
  checklist.resolve(7);
  await expect.poll(() => reader.ends().map(({ end }) => end)).toEqual([0, 7]);
  await reader.stop(false);
});

test("what a transaction that was given up left behind the last record is behind the position after a restart, too", async () => {
  const last = message(5);
  const hash = recordHash(recordOfMessage("omni.lead", 0, last));
  const position = { ...begun("omni.lead"), nextOffset: 6, last: { offset: 5, hash } };
  const { reader, handled, positionOf } = open([position], async () => 9);
  reader.assigned({ "omni.lead": [0] });
  // Offsets 6 to 8 are aborted records and their marker: kafkajs hands over what the group seeked to, and no more.
  const batch = {
    topic: "omni.lead",
    partition: 0,
    messages: [last],
    fetchedOffset: "5",
    highWatermark: "9",
    lastOffset: () => "8",
  };
  await reader.eachBatch({
    batch,
    heartbeat: async () => undefined,
    isStale: () => false,
  } as unknown as EachBatchPayload);
  expect(positionOf("omni.lead")).toEqual({ ...position, nextOffset: 9 });
  expect(handled.flatMap(({ records }) => records)).toEqual([]);
  await reader.stop(false);
});
