// One owner of a DATABASE_DIR on Kafka, with real processes (rule: one owner).

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { createKafkaSource } from "../../../projector/source/kafka/kafka-source.ts";
import {
  type Position,
  partitionName,
  RETURNS,
  type Sink,
  type SourceRecord,
} from "../../../projector/source/source.ts";
import { TOPICS } from "../../../shared/events/catalogue.ts";
import { createSpeaker } from "../../harness/events.ts";
import { envOf, openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { type OwnerFolder, openOwnerFolder } from "../../harness/owner-folder.ts";
import { startReceiver } from "../../harness/receiver.ts";
import { until } from "../../harness/wait.ts";

describe.skipIf(inject("brokers") === "")("projectors on Kafka", () => {
  let config: ReturnType<typeof testConfig>;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let at: OwnerFolder;
  let speaker: ReturnType<typeof createSpeaker>;
  beforeEach(async () => {
    config = testConfig();
    cluster = await openCluster(config);
    speaker = createSpeaker();
    at = openOwnerFolder({
      ...envOf(config),
      KAFKA_SESSION_TIMEOUT_MS: "6000",
      WEBHOOKS_ALLOW_PRIVATE: "true",
    });
  });
  afterEach(async () => {
    await at.close();
    await cluster.close();
  });

  const partitionOf = (leadId: string) => Number(leadId.slice(5)) % 2;
  const say = (leadId: string, event: string, data: Record<string, unknown>): SourceRecord => ({
    ...speaker.say({ leadId, event, data }),
    partition: partitionOf(leadId),
  });
  const reasonOf = async (address: string) => {
    const answer = await fetch(`${address}/health/ready`);
    return answer.ok ? undefined : ((await answer.json()) as { detail: string }).detail;
  };

  test("a standby takes over from a killed owner: no event is folded twice or lost", async () => {
    const leads = Array.from({ length: 20 }, (_, index) => `lead-${index}`);
    await cluster.produce(leads.map((leadId) => say(leadId, "lead.created", { firstName: "First" })));
    const owner = at.start();
    await until(
      "the first views",
      () => at.nameOf("lead-19") === "First" && at.nameOf("lead-18") === "First",
    );
    const standby = at.start();
    await standby.said("standby: another projector owns the folder");
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      await cluster.produce(
        leads.flatMap((leadId) => [
          say(leadId, "lead.updated", { firstName: `Name ${round}` }),
          say(leadId, "action_log.created", { id: `log-${round}` }),
        ]),
      );
      if (round === rounds / 2) await owner.stop("SIGKILL");
    }
    await standby.said("projector started");
    await until("all folded", () => at.folded() === leads.length * (1 + 2 * rounds), 60_000);
    at.read((store) => {
      for (const leadId of leads) {
        const view = JSON.parse(store.views.get(leadId)?.body?.toString("utf8") ?? "{}");
        expect([view.lead.firstName, view.actionLogs.length]).toEqual([`Name ${rounds - 1}`, rounds]);
      }
      expect(store.deadLetters.count()).toBe(0);
    });
    const address = await standby.opsAddress();
    await until("ready", async () => (await reasonOf(address)) === undefined, 60_000);
  }, 180_000);

  test("two databases with one consumer group: the second one waits, says which setting, and goes on with webhooks it was given a copy of", async () => {
    const receiver = await startReceiver();
    await cluster.produce([0, 1, 2, 3].map((index) => say(`lead-${index}`, "lead.created", {})));
    const first = at.start();
    const address = await first.opsAddress();
    await until("ready", async () => (await reasonOf(address)) === undefined, 60_000);
    const folder = join(at.folder, "other");
    mkdirSync(folder);
    expect(at.run("webhooks", "add", "--workspace", "ws-1", "--url", receiver.url).status).toBe(0);
    for (const suffix of ["", "-wal"]) {
      const file = `webhooks.sqlite${suffix}`;
      if (existsSync(join(at.databaseDir, file))) cpSync(join(at.databaseDir, file), join(folder, file));
    }
    const second = at.start({ DATABASE_DIR: folder });
    const other = await second.opsAddress();
    const says = /another database of the consumer group .* is the owner.*KAFKA_GROUP_ID/;
    await until("the second one not ready", async () => says.test(`${await reasonOf(other)}`), 60_000);
    await until("the first one ready again", async () => (await reasonOf(address)) === undefined, 60_000);
    expect(at.runWith({ DATABASE_DIR: folder }, "webhooks", "resume").status).toBe(0);
    await cluster.produce([say("lead-1", "lead.updated", { firstName: "Told" })]);
    const told = (text: string) => receiver.received.filter(({ body }) => body.includes(text)).length;
    await until("the endpoint to be told by the owner", () => told("Told") === 1);
    await first.stop();
    await cluster.produce([say("lead-2", "lead.updated", { firstName: "Told by the other" })]);
    await until("the endpoint to be told by who took over", () => told("Told by the other") > 0);
    receiver.close();
  }, 180_000);

  test("an owner that is away for a moment gets its partitions back at once, though records came meanwhile", async () => {
    /** A reader of a database of its own, which folds nothing. */
    const reader = (database: string) => {
      const positions = new Map<string, Position>();
      let folded = 0;
      const source = createKafkaSource({ ...config, sessionTimeoutMs: 6_000 }, silent, {
        database,
        lastNumber: () => 1,
        committed: () => [...positions.values()],
        lowestNumber: () => undefined,
        succeed: async () => true,
      });
      const sink: Sink = {
        positions: () => [...positions.values()],
        async handle(batch) {
          folded += batch.records.length;
          for (const position of batch.positions) positions.set(partitionName(position), position);
        },
      };
      const start = () => {
        const stopping = new AbortController();
        const running = source.run(sink, stopping.signal);
        return async (why?: typeof RETURNS) => {
          stopping.abort(why);
          await running;
        };
      };
      const { trouble, owns, ends } = source;
      return { start, trouble, owns, ends, folded: () => folded };
    };
    const [first, second] = [reader("first"), reader("second")];
    const produce = () => cluster.produce([{ ...say("lead-0", "lead.updated", {}), timestamp: Date.now() }]);
    const pause = first.start();
    await produce();
    await until("the first one to fold", () => first.folded() === 1);
    const stopSecond = second.start();
    const stands = () => /standby of shard/.test(second.trouble() ?? "");
    await until("the second one to stand by", stands);
    await pause(RETURNS);
    await until("the partitions to be kept", () => /takes over its shard/.test(second.trouble() ?? ""));
    await produce();
    const stopFirst = first.start();
    await until("the record to be folded by the first one", () => first.folded() === 2);
    await until("the second one to stand by again", stands);
    expect([first.owns(), second.owns(), second.folded()]).toEqual([true, false, 0]);
    await stopFirst();
    // Who takes over is up to date only once it knows how much there is: as soon as nothing is wrong, it does.
    while (second.trouble() !== undefined) await setImmediate();
    expect(second.ends()).toContainEqual({
      topic: TOPICS.lead,
      partition: 0,
      end: 2,
      movedAt: expect.any(Number),
    });
    // And it hands on and serves only once it has what the other one had.
    expect([second.owns(), second.folded()]).toEqual([true, 2]);
    await stopSecond();
  }, 60_000);

  test("retention overtook the projector: a rebuild from an archive goes on with the broker's log", async () => {
    await cluster.produce([say("lead-0", "lead.created", { firstName: "Ann" })]);
    const first = at.start();
    await at.shown("lead-0", "Ann");
    await first.stop();
    await cluster.produce(["Anna", "Annie"].map((firstName) => say("lead-0", "lead.updated", { firstName })));
    const archive = join(at.folder, "archive");
    const archived = at.run("archive", "--out", archive);
    expect([archived.status, archived.stdout]).toEqual([0, expect.stringContaining("3 records")]);
    const topic = config.topics.get(TOPICS.lead) as string;
    await cluster.admin.fetchTopicOffsets(topic);
    await cluster.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "3" }] });
    const stopped = at.start();
    expect(await stopped.exited).toBe(1);
    expect(String(stopped.lines().at(-1)?.error)).toMatch(/retention.*npx lead-view rebuild --from DIR/);
    const rebuilt = at.run("rebuild", "--from", archive);
    expect([rebuilt.stderr, rebuilt.status]).toEqual([expect.any(String), 0]);
    expect(at.nameOf("lead-0")).toBe("Annie");
    at.start();
    await cluster.produce([say("lead-0", "lead.updated", { firstName: "Later" })]);
    await at.shown("lead-0", "Later");
    expect(at.folded()).toBe(4);
  }, 180_000);
});
