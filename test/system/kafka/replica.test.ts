// A replica follows the topic of views and answers as the projector's own host does, to the byte.
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { openReplica, rowsOf } from "../../harness/replica.ts";
import { until } from "../../harness/wait.ts";

const PARTITIONS = 3;

describe.skipIf(inject("brokers") === "")("a replica", () => {
  let api: ReturnType<typeof openApi>;
  let config: KafkaConfig;
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let replica: ReturnType<typeof openReplica>;
  let stopRelay: () => Promise<void>;
  let speaker: ReturnType<typeof createSpeaker>;

  beforeEach(async () => {
    api = openApi();
    speaker = createSpeaker();
    config = testConfig();
    cluster = await openCluster(config, PARTITIONS);
    replica = openReplica(config, api.databaseDir);
    stopRelay = async () => undefined;
  });
  afterEach(async () => {
    await replica.close();
    await stopRelay();
    await cluster.close();
    await api.close();
  });

  const startRelay = (through: KafkaConfig = config) => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const running = publishViews(through, api.projector.store, { log: silent, signal, tracing: passingOn });
    stopRelay = async () => {
      stopping.abort();
      await running;
    };
  };
  const fold = (...records: ReturnType<typeof speaker.say>[]) => api.projector.foldBatch(records);
  const create = (leadId: string, data: Record<string, unknown> = {}) =>
    speaker.say({ leadId, event: "lead.created", data });
  const rename = (leadId: string, firstName: string) =>
    speaker.say({ leadId, event: "lead.updated", data: { firstName } });
  const erase = (leadId: string) => speaker.record("omni.lead", { key: Buffer.from(leadId) });
  /** The replica's rows are the projector's. */
  const same = () =>
    until("the replica to have what the projector has", () => {
      const [mine, theirs] = [rowsOf(api.projector.store.db), replica.rows()];
      return JSON.stringify(mine) === JSON.stringify(theirs);
    });
  const answers = async (url: string, headers: Record<string, string> = {}) => {
    const given = { method: "GET", url, headers: { "x-api-key": api.key, ...headers } } as const;
    const both = [await api.server.inject(given), await replica.server().inject(given)];
    return both.map(({ statusCode, headers: { etag }, body }) => ({ statusCode, etag, body }));
  };

  test("answers reads, parts and searches as the projector's host does; an erased lead is gone from its files", async () => {
    fold(
      create("lead-1", { email: "A@Example.com", phoneNumber: "678 231 9992", externalLeadId: "x-1" }),
      create("lead-2", { email: "a@example.com", firstName: "Zoë 😀" }),
      speaker.say({ event: "document.received", data: { id: "d", filename: "f.pdf", storageKey: "k/ü 1" } }),
      speaker.say({ event: "document.received", data: { id: "e", storageKey: "k/2" } }),
      speaker.say({
        event: "action_log.created",
        data: { id: "log", type: "MESSAGE", big: 12345678901234567890n.toString() },
      }),
      create("canary", { firstName: "Canary-of-the-replica" }),
      create("gone"),
    );
    fold(erase("gone"));
    startRelay();
    await replica.start();
    await replica.ready();
    await same();
    for (const url of [
      "/api/v1/leads/lead-1",
      "/api/v1/leads/lead-2",
      "/api/v1/leads/gone",
      "/api/v1/leads/lead-1/documents",
      "/api/v1/leads/lead-1/action-logs",
      "/api/v1/leads?email=a@example.com",
      "/api/v1/leads?externalLeadId=x-1",
      "/api/v1/leads?phoneNumber=%2B16782319992&status=IN_PROGRESS",
      "/api/v1/leads?limit=1",
    ]) {
      const [projector, other] = await answers(url);
      expect(other, url).toEqual(projector);
    }
    const [first] = await answers("/api/v1/leads/lead-1");
    const conditional = await answers("/api/v1/leads/lead-1", { "if-none-match": String(first?.etag) });
    expect(conditional.map(({ statusCode }) => statusCode)).toEqual([304, 304]);
    fold(erase("canary"), rename("lead-2", "Two"));
    await same();
    await until("the files to be rewritten", () => !replica.holds("Canary-of-the-replica"));
    expect(replica.outboxes()).toEqual([{ relay: "replica", waiting: 0, setAside: 0, held: 0 }]);
  });
});
