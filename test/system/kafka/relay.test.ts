// The topic of views and that of dead letters under trouble: a proxy between the relay and the broker makes it.
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishDeadLetters } from "../../../projector/publish/dead-letter-topic.ts";
import { publishViews, VIEWS_RELAY } from "../../../projector/publish/view-topic.ts";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { type Fault, NOT_ENOUGH_REPLICAS, startKafkaProxy } from "../../harness/kafka-proxy.ts";
import { keepViewsOfTopic } from "../../harness/kept-views.ts";
import { openProjector } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

const PARTITIONS = 4;

describe.skipIf(inject("brokers") === "")("what is published while the broker is in trouble", () => {
  let projector: ReturnType<typeof openProjector>;
  let fault: (partition: number) => Fault | undefined;
  let proxy: Awaited<ReturnType<typeof startKafkaProxy>>;
  let config: KafkaConfig;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let kept: Awaited<ReturnType<typeof keepViewsOfTopic>>;
  let stop: () => Promise<void>;
  let speaker: ReturnType<typeof createSpeaker>;

  beforeEach(async () => {
    projector = openProjector();
    speaker = createSpeaker();
    fault = () => undefined;
    config = testConfig();
    proxy = await startKafkaProxy(config.brokers[0] as string, ({ topic, partition }) =>
      topic === config.leadViewTopic || topic === config.deadLetterTopic ? fault(partition) : undefined,
    );
    cluster = await openCluster(config, PARTITIONS);
    kept = await keepViewsOfTopic(cluster.kafka, config.leadViewTopic, `keep-${config.groupId}`);
    stop = async () => undefined;
  });
  afterEach(async () => {
    await stop();
    await kept.stop();
    await cluster.close();
    await proxy.stop();
    projector.close();
  });

  const start = (times: { readonly answerMs?: number; readonly slowMs?: number } = {}) => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const through = { ...config, brokers: [proxy.brokers] };
    const running = Promise.all([
      publishViews(through, projector.store, { log: silent, signal, tracing: passingOn, ...times }),
      publishDeadLetters(through, projector.store, silent, signal),
    ]);
    stop = async () => {
      stopping.abort();
      await running;
    };
  };
  const create = (leads: number, textBytes: number, prefix = "lead") => {
    const records: SourceRecord[] = [];
    for (let lead = 0; lead < leads; lead++) {
      const data = { firstName: "First", activitySummary: randomBytes(textBytes / 2).toString("hex") };
      records.push(speaker.say({ leadId: `${prefix}-${lead}`, event: "lead.created", data }));
    }
    projector.foldBatch(records);
  };
  const rename = (leadId: string, firstName: string) =>
    projector.foldBatch([speaker.say({ leadId, event: "lead.updated", data: { firstName } })]);
  const nameOf = (leadId: string) =>
    (kept.views.get(leadId)?.view as { lead?: { firstName?: string } } | undefined)?.lead?.firstName;
  const limit = (topic: string, bytes: number) =>
    cluster.admin.alterConfigs({
      validateOnly: false,
      resources: [
        { type: 2, name: topic, configEntries: [{ name: "max.message.bytes", value: String(bytes) }] },
      ],
    });
  /** The topic is the table: every view with its latest number, none that is gone. */
  const isWhole = () => {
    const rows = projector.store.db
      .prepare<[], { leadId: string; number: number }>(
        "SELECT lead_id AS leadId, number FROM lead_view WHERE body IS NOT NULL",
      )
      .all();
    return (
      rows.length === kept.views.size &&
      rows.every(({ leadId, number }) => kept.views.get(leadId)?.version === number)
    );
  };

  test("2,000 views of 12 KB that change at once all get there, and 6 dead letters of 450 KB", async () => {
    create(2_000, 12_000);
    const value = Buffer.from(`{"no event": "${randomBytes(225_000).toString("hex")}"}`);
    projector.foldBatch(Array.from({ length: 6 }, () => speaker.record("omni.lead", { value })));
    start();
    await until("all views", isWhole, 60_000);
    await until("all letters", () => projector.store.deadLetters.waiting() === 0);
    const ends = await cluster.admin.fetchTopicOffsets(config.deadLetterTopic);
    expect(ends.reduce((sum, { high }) => sum + Number(high), 0)).toBe(6);
    expect(projector.store.setAsides.counts()).toEqual([]);
    expect(kept.inOrder()).toBe(true);
  });

  test("a view that is too large goes out as a reference, and whole once the topic takes it and it is retried", async () => {
    create(20, 100);
    create(1, 100, "large");
    const output = () => randomBytes(450_000).toString("hex");
    for (const id of ["a", "b", "c"])
      projector.foldBatch([
        speaker.say({ leadId: "large-0", event: "action_log.created", data: { id, output: output() } }),
      ]);
    create(20, 100, "after");
    start();
    await until("the others, and the reference", isWhole);
    expect(kept.views.get("large-0")?.view).toBe("/api/v1/leads/large-0");
    expect(projector.store.setAsides.held(VIEWS_RELAY, "", 10)).toMatchObject([
      { name: "large-0", reason: expect.stringContaining("too large") },
    ]);
    await limit(config.leadViewTopic, 4_000_000);
    projector.store.setAsides.retry(VIEWS_RELAY, "large-0");
    await until("the whole view", () => nameOf("large-0") === "First");
    await until("nothing aside", () => projector.store.setAsides.counts().length === 0);
    expect(kept.inOrder()).toBe(true);
  });

  test("too few replicas in one partition: all other leads are told of at once, its own when it is well again", async () => {
    create(40, 100);
    start();
    await until("all", isWhole);
    fault = (partition) => (partition === 2 ? { error: NOT_ENOUGH_REPLICAS } : undefined);
    for (let lead = 0; lead < 40; lead++) rename(`lead-${lead}`, "Second");
    const told = () => [...kept.views.keys()].filter((leadId) => nameOf(leadId) === "Second").length;
    await until("the other partitions", () => {
      const [counts] = projector.store.setAsides.counts();
      return counts !== undefined && counts.waiting > 0 && told() === 40 - counts.waiting;
    });
    for (let lead = 0; lead < 40; lead++) rename(`lead-${lead}`, "Third");
    const waiting = () => projector.store.setAsides.counts()[0]?.waiting ?? 0;
    await until("the others' next change", () => {
      const third = [...kept.views.keys()].filter((leadId) => nameOf(leadId) === "Third").length;
      return third > 0 && third === 40 - waiting();
    });
    await stop();
    start();
    fault = () => undefined;
    await until("all, after a restart too", isWhole);
    await until("nothing aside", () => projector.store.setAsides.counts().length === 0);
    expect(kept.inOrder()).toBe(true);
  });

  test.each<[string, Fault]>([
    ["whose answers are lost", "lose answer"],
    ["that cuts each request off before it has it", "cut before"],
    ["that cuts each request off after it has it", "cut after"],
    ["that answers late", { delayMs: 600 }],
  ])("a broker %s for a while: the topic ends with every latest view, in order", async (_what, trouble) => {
    create(60, 1_000);
    start({ answerMs: 2_000, slowMs: 300 });
    await until("all", isWhole);
    let faults = 0;
    fault = (partition) => (partition !== 1 && ++faults <= 4 ? trouble : undefined);
    for (const firstName of ["One", "Two", "Three"]) {
      for (let lead = 0; lead < 60; lead++) rename(`lead-${lead}`, firstName);
      await until("trouble", () => faults > 0);
    }
    await until("every latest view", isWhole, 60_000);
    expect([...kept.views.keys()].map(nameOf)).toEqual(Array.from({ length: 60 }, () => "Three"));
    expect(kept.inOrder()).toBe(true);
  });

  test("a broker that is away: nothing is set aside, and all gets there when it is back", async () => {
    create(40, 100);
    start();
    await until("all", isWhole);
    proxy.refuse(true);
    for (let lead = 0; lead < 40; lead++) rename(`lead-${lead}`, "Away");
    projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("lead-7") })]);
    await until("the relay to notice", () => projector.store.relays.position(VIEWS_RELAY) > 0);
    proxy.refuse(false);
    await until("all, and the tombstone", isWhole);
    expect(kept.views.has("lead-7")).toBe(false);
    expect(kept.inOrder()).toBe(true);
  });
});
