// A downstream service that keeps the views: it reads the compacted topic into a map, which then is what the API answers.
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { keepViewsOfTopic } from "../../harness/kept-views.ts";
import { until } from "../../harness/wait.ts";

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
    const kept = await keepViewsOfTopic(cluster.kafka, config.leadViewTopic, `keep-${config.groupId}`);
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
    expect(kept.headers.flatMap((headers) => headers.traceparent ?? [])).toEqual([traceparent]);
    for (const [leadId, { view }] of kept.views) {
      const answer = JSON.parse((await api.get(leadId)).body, (name, value) =>
        name === "signedUrl" ? null : value,
      );
      expect(view).toEqual(answer);
    }
    expect(kept.inOrder()).toBe(true);
    expect(kept.views.get("lead-2")?.version).toBe(api.projector.store.views.get("lead-2")?.number);
    expect(kept.seen["lead-2"]).toHaveLength(new Set(kept.seen["lead-2"]).size);
    fold(record("omni.lead", { key: Buffer.from("lead-2") }));
    await until("the tombstone", () => !kept.views.has("lead-2"));
    expect(kept.headers.map(({ ce_type }) => ce_type)).toContain("lead_view.erased");
    await second();
    await kept.stop();
    await cluster.close();
  });
});
