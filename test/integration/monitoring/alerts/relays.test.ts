// The alerts of what is handed on: webhooks that nobody takes, views that their topic does not take, brokers that are away.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { describe, expect, inject, test } from "vitest";
import { createCommitMetrics, registerStateMetrics } from "../../../../projector/ops/metrics.ts";
import { createMonitor } from "../../../../projector/ops/monitor.ts";
import { markFoldRules } from "../../../../projector/projection/fold-version.ts";
import { publishViews } from "../../../../projector/publish/view-topic.ts";
import { deliverWebhooks } from "../../../../projector/publish/webhooks/deliver.ts";
import { openEndpoints, relayOf, webhooksFile } from "../../../../projector/publish/webhooks/endpoints.ts";
import { settleHere } from "../../../../projector/publish/webhooks/home.ts";
import { passingOn } from "../../../../projector/trace/tracing.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { freePort } from "../../../harness/free-port.ts";
import { openCluster, silent, testConfig } from "../../../harness/kafka.ts";
import { enterLeapingWorld } from "../../../harness/leaping-world.ts";
import { openProjector } from "../../../harness/projector.ts";
import { ALERTS } from "../../../harness/prometheus/alert-kinds.ts";
import type { Target } from "../../../harness/prometheus/series.ts";
import { IDLE_API, openWatch, seenToFire } from "../../../harness/prometheus/watch.ts";
import { startReceiver } from "../../../harness/receiver.ts";
import { until } from "../../../harness/wait.ts";

/** A store that is written to by the test, with what tells of its relays. */
function openRelays(names: { readonly group: string; readonly publishes: boolean }) {
  const world = enterLeapingWorld();
  const folder = mkdtempSync(join(tmpdir(), "alerts-relays-"));
  const projector = openProjector(join(folder, "views.sqlite"));
  const endpoints = openEndpoints(webhooksFile(folder));
  const registry = new Registry();
  const called = { group: names.group, shard: "0/1", topicName: (topic: string) => topic };
  const { publishes } = names;
  const options = { role: "projector", databaseDir: folder, publishes, mostLagSeconds: 60 } as const;
  const monitor = createMonitor(options, createCommitMetrics(registry, called));
  registerStateMetrics(registry, monitor, called);
  monitor.is("owner", "");
  markFoldRules(projector.store);
  const source = { ends: () => [], trouble: () => undefined, owns: () => true };
  monitor.observe({ store: projector.store, source: source as never, endpoints, generation: 1 });
  const relay: Target = { job: "lead-view-projector", instance: "p", scrape: () => registry.metrics() };
  return {
    folder,
    projector,
    endpoints,
    watch: openWatch(world, [relay, IDLE_API]),
    outbox: () => monitor.outboxes()[0],
    close(): void {
      monitor.stop();
      endpoints.close();
      projector.close();
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs until it is stopped. */
function running(run: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stopping = new AbortController();
  const done = run(stopping.signal);
  return async () => {
    stopping.abort();
    await done;
  };
}

test("a webhook that nobody tries any more, until it is sent again", async () => {
  const { folder, projector, endpoints, watch, outbox, close } = openRelays({ group: "g", publishes: false });
  const receiver = await startReceiver(() => 500);
  const { id } = endpoints.add("ws-1", receiver.url, 0, Date.now());
  settleHere(folder, endpoints);
  const { store } = projector;
  const stop = running((signal) =>
    // Given up at once, not after three days.
    deliverWebhooks({
      store,
      endpoints,
      databaseDir: folder,
      log: silent,
      signal,
      allowPrivate: true,
      schedule: [],
    }),
  );
  try {
    projector.foldBatch([createSpeaker().say({ event: "lead.created" })]);
    await until("it to be undelivered", () => outbox()?.held === 1);
    await watch.pass(6);
    watch.fires("LeadViewUndelivered");
    await watch.pass(61);
    watch.fires("LeadViewUndelivered", "LeadViewWebhooks");
    receiver.answer(() => 200);
    store.setAsides.retryHeld(relayOf({ id }));
    await until("it to be delivered", () => outbox()?.held === 0 && outbox()?.setAside === 0);
    await watch.pass(2);
    watch.fires();
    expect(watch.promtoolSays() ?? "").toBe("");
  } finally {
    await stop();
    receiver.close();
    close();
  }
});

describe.skipIf(inject("brokers") === "")("a relay to a topic", () => {
  test("a view that the topic does not take, and a broker that is away", async () => {
    const kafka = testConfig();
    const relays = openRelays({ group: kafka.groupId, publishes: true });
    const { projector, watch, outbox } = relays;
    const cluster = await openCluster(kafka, 1);
    const publish = (brokers: readonly string[]) =>
      running((signal) =>
        publishViews({ ...kafka, brokers }, projector.store, { log: silent, signal, tracing: passingOn }),
      );
    const { say } = createSpeaker();
    try {
      projector.foldBatch([say({ event: "lead.created" })]);
      const stop = publish(kafka.brokers);
      await until("it to be published", () => outbox()?.waiting === 0 && outbox()?.setAside === 0);
      await watch.pass(30);
      watch.fires();
      const configEntries = [{ name: "max.message.bytes", value: "20000" }];
      await cluster.admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: kafka.leadViewTopic, configEntries }],
      });
      projector.foldBatch([say({ event: "lead.updated", data: { activitySummary: randomText(100_000) } })]);
      await until("it to be set aside", () => outbox()?.held === 1);
      await stop();
      await watch.pass(6);
      watch.fires("LeadViewSetAside");
      projector.store.setAsides.removeAll("topic:views");
      const stopStuck = publish([`127.0.0.1:${await freePort()}`]);
      projector.foldBatch([say({ event: "lead.updated", data: { activitySummary: "short" } })]);
      await watch.pass(25);
      watch.fires("LeadViewOutboxStuck");
      await stopStuck();
      expect(watch.promtoolSays() ?? "").toBe("");
    } finally {
      await cluster.close();
      relays.close();
    }
  });
});

test("every alert of what is handed on was seen to fire", () => {
  const needBroker = inject("brokers") === "" ? ["LeadViewSetAside"] : [];
  expect(ALERTS.relays.filter((alert) => !seenToFire().has(alert))).toEqual(needBroker);
});

/** A text that gzip does not make much smaller. */
const randomText = (length: number): string =>
  Array.from({ length: Math.ceil(length / 10) }, () => Math.random().toString(36).slice(2, 12)).join("");
