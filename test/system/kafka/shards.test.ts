// Shards of one consumer group, with real processes (rule: a workspace is one shard's).
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { openStoreToRead, type Store } from "../../../projector/store/store.ts";
import { partitionOfWorkspace } from "../../../shared/shard.ts";
import { createSpeaker } from "../../harness/events.ts";
import { envOf, openCluster, testConfig } from "../../harness/kafka.ts";
import { type OwnerFolder, openOwnerFolder } from "../../harness/owner-folder.ts";
import { deadLettersOf, viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

const PARTITIONS = 4;
/** One workspace of each shard of two. */
const WORKSPACES = [0, 1].map(
  (index) => ["ws-1", "ws-2", "ws-3", "ws-4"].find((id) => partitionOfWorkspace(id, 2) === index) as string,
) as [string, string];

describe.skipIf(inject("brokers") === "")("shards", () => {
  let config: ReturnType<typeof testConfig>;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let at: OwnerFolder;
  let speaker: ReturnType<typeof createSpeaker>;
  beforeEach(async () => {
    config = testConfig();
    cluster = await openCluster(config, PARTITIONS);
    speaker = createSpeaker();
    at = openOwnerFolder({
      ...envOf(config),
      KAFKA_SESSION_TIMEOUT_MS: "2000",
    });
  });
  afterEach(async () => {
    await at.close();
    await cluster.close();
  });

  const say = (
    workspaceId: string,
    leadId: string,
    event: string,
    data: Record<string, unknown> = {},
  ): SourceRecord => ({
    ...speaker.say({ leadId, event, data, workspaceId }),
    partition: partitionOfWorkspace(workspaceId, PARTITIONS),
  });
  const folderOf = (name: string) => join(at.folder, name);
  const start = (shard: string, folder: string, over: Record<string, string> = {}) =>
    at.start({ SHARD: shard, DATABASE_DIR: folderOf(folder), ...over });
  const reasonOf = async (address: string) => {
    const answer = await fetch(`${address}/health/ready`);
    return answer.ok ? undefined : ((await answer.json()) as { detail: string }).detail;
  };
  const ready = async (program: ReturnType<typeof start>) => {
    const address = await program.opsAddress();
    let reason: string | undefined;
    const isReady = async () => {
      reason = await reasonOf(address);
      return reason === undefined;
    };
    await until("ready", isReady, 30_000).catch(() => {
      throw new Error(`not ready: ${reason}; the log: ${program.output().slice(-3_000)}`);
    });
    return address;
  };
  const read = <T>(folder: string, look: (store: Store) => T): T => {
    const store = openStoreToRead({ databaseDir: folderOf(folder) });
    try {
      return look(store);
    } finally {
      store.close();
    }
  };
  const names = (folder: string) =>
    Object.fromEntries(
      Object.entries(read(folder, viewsOf)).map(([id, { body }]) => [id, JSON.parse(body).lead.firstName]),
    );

  test("each folds the workspaces of its own; an event in another's partition is a dead letter, a null value there is counted", async () => {
    const [own, other] = WORKSPACES;
    const strays = {
      ...say(own, "stray", "lead.created"),
      partition: partitionOfWorkspace(own, PARTITIONS) ^ 2,
    };
    await cluster.produce([
      say(own, "lead-0", "lead.created", { firstName: "Ann" }),
      say(other, "lead-1", "lead.created", { firstName: "Bob" }),
      strays,
    ]);
    const [first, second] = [start("0/2", "first"), start("1/2", "second")];
    await Promise.all([ready(first), ready(second)]);
    expect([names("first"), names("second")]).toEqual([{ "lead-0": "Ann" }, { "lead-1": "Bob" }]);
    expect(read("first", deadLettersOf).map(({ code }) => code)).toEqual(["wrong_partition"]);
    expect(read("second", deadLettersOf)).toEqual([]);

    // A null value names no workspace: in the other shard's partition it is one of a lead that is not known there.
    const erase = { ...speaker.record("omni.lead", { key: Buffer.from("lead-0") }) };
    const unknown = async (address: string) =>
      (await (await fetch(`${address}/metrics`)).text()).match(
        /^lead_view_events_total\{type="tombstone",outcome="unknown_lead"\} (\d+)$/m,
      )?.[1];
    await cluster.produce([{ ...erase, partition: partitionOfWorkspace(other, PARTITIONS) }]);
    await until("it to be counted", async () => (await unknown(await second.opsAddress())) === "1");
    expect(names("first")).toEqual({ "lead-0": "Ann" });

    // Who counts the shards otherwise is refused by the group, and disturbs nobody.
    const stranger = start("2/4", "stranger");
    expect(await stranger.exited).toBe(1);
    expect(String(stranger.lines().at(-1)?.error)).toMatch(/other shards than SHARD says.*KAFKA_GROUP_ID/);
    // A folder is one shard's.
    await second.stop();
    const mistaken = start("0/2", "second");
    expect(await mistaken.exited).toBe(1);
    expect(String(mistaken.lines().at(-1)?.error)).toMatch(/those of shard 1\/2, and SHARD is 0\/2/);
    await cluster.produce([say(own, "lead-0", "lead.updated", { firstName: "Anna" })]);
    await until("the first shard folds on", () => names("first")["lead-0"] === "Anna");
  }, 120_000);

  test("topics that can't be shared out evenly are refused, with what to do", async () => {
    const third = start("0/3", "third");
    expect(await third.exited).toBe(1);
    expect(String(third.lines().at(-1)?.error)).toMatch(/4 partitions, which 3 shards can't share evenly/);
  }, 60_000);
});
