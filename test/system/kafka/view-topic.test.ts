// A downstream service that keeps the views: it reads the compacted topic into a map, which then is what the API answers.
import type kafkajs from "kafkajs";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { until } from "../../harness/wait.ts";

/** The consumer of the example: each lead's latest view and version, by lead id. */
async function keepViews(kafka: kafkajs.Kafka, topic: string, groupId: string) {
  const views = new Map<string, { readonly version: number; readonly view: unknown }>();
  const versions: Record<string, number[]> = {};
  const types: string[] = [];
  const traces: string[] = [];
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const leadId = String(message.key);
      const version = Number(message.headers?.version);
      versions[leadId] = [...(versions[leadId] ?? []), version];
      types.push(String(message.headers?.ce_type));
      if (message.headers?.traceparent) traces.push(String(message.headers.traceparent));
      if (message.value === null) views.delete(leadId);
      else views.set(leadId, { version, view: JSON.parse(message.value.toString()) });
    },
  });
  return { views, versions, types, traces, stop: () => consumer.disconnect() };
}

describe.skipIf(inject("brokers") === "")("the topic of views", () => {
  let api: ReturnType<typeof openApi>;
  beforeEach(() => {
    api = openApi();
  });
  afterEach(() => api.close());

  test("holds the API's answers, in order per lead, without URLs; nothing for a view that did not change", async () => {
    const config = testConfig();
    const cluster = await openCluster(config);
    const { say, record } = createSpeaker();
    const fold = (...records: ReturnType<typeof say>[]) => api.projector.foldBatch(records);
    fold(say({ event: "lead.created", data: { email: "a@example.com" } }));
    fold(say({ leadId: "lead-2", event: "lead.created", data: { email: "a@example.com" } }));
    fold(say({ event: "document.received", data: { id: "d", storageKey: "k" } }));
    const start = () => {
      const stopping = new AbortController();
      const running = publishViews(config, api.projector.store, {
        log: silent,
        signal: stopping.signal,
        tracing: passingOn,
      });
      return () => {
        stopping.abort();
        return running;
      };
    };
    const first = start();
    const kept = await keepViews(cluster.kafka, config.leadViewTopic, `keep-${config.groupId}`);
    await until("both leads", () => kept.views.size === 2);
    fold(say({ leadId: "lead-2", event: "lead.updated", data: { firstName: "Two" } }));
    await until("the change", () => JSON.stringify(kept.views.get("lead-1")?.view ?? "").includes('"Two"'));
    // The same again changes no byte: nothing is published, also not after a restart of the relay.
    fold(say({ leadId: "lead-2", event: "lead.updated", data: { firstName: "Two" } }));
    await first();
    const second = start();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    fold({ ...say({ leadId: "lead-3", event: "lead.created" }), headers: { traceparent } });
    await until("the third lead", () => kept.views.has("lead-3"));
    expect(kept.traces).toEqual([traceparent]);
    for (const [leadId, { view }] of kept.views) {
      const answer = JSON.parse((await api.get(leadId)).body, (name, value) =>
        name === "signedUrl" ? null : value,
      );
      expect(view).toEqual(answer);
    }
    for (const list of Object.values(kept.versions))
      expect(list).toEqual([...new Set(list)].sort((a, b) => a - b));
    expect(kept.views.get("lead-2")?.version).toBe(2);
    fold(record("omni.lead", { key: Buffer.from("lead-2") }));
    await until("the tombstone", () => !kept.views.has("lead-2"));
    expect(kept.types).toContain("lead_view.erased");
    await second();
    await kept.stop();
    await cluster.close();
  });
});
