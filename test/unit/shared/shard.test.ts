import fc from "fast-check";
import kafkajs from "kafkajs";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../../shared/config.ts";
import { isPartitionOf, parseShard, partitionOfWorkspace, shardOfWorkspace } from "../../../shared/shard.ts";

const partitioner = kafkajs.Partitioners.DefaultPartitioner();

/** Where a producer with Kafka's default partitioner puts a record with this key. */
const partitionOfKey = (key: string, count: number): number =>
  partitioner({
    topic: "t",
    partitionMetadata: Array.from({ length: count }, (_, partitionId) => ({ partitionId })) as never,
    message: { key, value: null },
  });

describe("a workspace's partition", () => {
  test("is the one that Kafka's default partitioner gives its id", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 1_000 }), (id, count) => {
        fc.pre(id !== "");
        expect(partitionOfWorkspace(id, count)).toBe(partitionOfKey(id, count));
      }),
    );
  });

  test("has the values of Kafka's own tests of murmur2", () => {
    // UtilsTest.testMurmur2 of apache/kafka, made positive.
    expect(partitionOfWorkspace("21", 0x7fffffff)).toBe((-973_932_308 & 0x7fffffff) % 0x7fffffff);
    expect(partitionOfWorkspace("foobar", 0x7fffffff)).toBe((-790_332_482 & 0x7fffffff) % 0x7fffffff);
    expect(partitionOfWorkspace("a-little-bit-long-string", 0x7fffffff)).toBe(
      (-985_981_536 & 0x7fffffff) % 0x7fffffff,
    );
  });

  test("is its shard's, whatever multiple of the shards there is of partitions", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        (id, count, times) => {
          const shard = { index: shardOfWorkspace(id, count), count };
          expect(isPartitionOf(shard, partitionOfWorkspace(id, count * times))).toBe(true);
        },
      ),
    );
  });
});

test("a shard is written k/N, k below N", () => {
  expect(parseShard("0/1")).toEqual({ index: 0, count: 1 });
  expect(parseShard("3/4")).toEqual({ index: 3, count: 4 });
  for (const text of ["", "1", "4/4", "0/0", "-1/2", "0/2 ", "0/1001", "a/b"])
    expect(parseShard(text)).toBeUndefined();
});

describe("settings of shards", () => {
  const KAFKA = { KAFKA_BROKERS: "localhost:9092" };

  test("are read: a shard, its nodes with those of its standby, and the partitions", () => {
    const { shard, shardUrls, workspacePartitions } = readConfig({
      ...KAFKA,
      SHARD: "1/2",
      SHARD_URLS: "http://a:3000|http://a2:3000, https://b:3000",
      WORKSPACE_PARTITIONS: "12",
    });
    expect([shard, shardUrls, workspacePartitions]).toEqual([
      { index: 1, count: 2 },
      [["http://a:3000", "http://a2:3000"], ["https://b:3000"]],
      12,
    ]);
    expect(readConfig({}).shard).toEqual({ index: 0, count: 1 });
  });

  test.each([
    [{ ...KAFKA, SHARD: "2/2" }, /SHARD must be k\/N/],
    [{ SHARD: "0/2" }, /shards need Kafka/],
    [{ ...KAFKA, SHARD: "0/2", SHARD_URLS: "http://a:3000" }, /SHARD_URLS has the addresses of 1 shards/],
    [
      { ...KAFKA, SHARD: "0/2", SHARD_OPS_URLS: "http://a,http://b,http://c" },
      /SHARD_OPS_URLS has the addresses of 3/,
    ],
    [{ ...KAFKA, SHARD_URLS: "http://a:3000/api" }, /SHARD_URLS must be base addresses/],
    [{ ...KAFKA, SHARD: "0/2", WORKSPACE_PARTITIONS: "7" }, /must be a multiple of the number of shards, 2/],
    [
      { ...KAFKA, KAFKA_GROUP_ID: "x", KAFKA_PREVIOUS_GROUP_ID: "x" },
      /KAFKA_PREVIOUS_GROUP_ID is the group of other/,
    ],
  ])("%j is refused by name", (env, message) => {
    expect(() => readConfig(env as Record<string, string>)).toThrow(message);
  });
});
