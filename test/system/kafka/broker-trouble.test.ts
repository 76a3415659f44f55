// What happens when the broker itself fails: needs brokers of its own, which it can start, kill and set up.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openCluster, silent, startProjector, testConfig } from "../../harness/kafka.ts";
import { viewsOf } from "../../harness/projector.ts";
import { openReplica, rowsOf } from "../../harness/replica.ts";
import { until } from "../../harness/wait.ts";
import { crashRun } from "../crash/crash-run.ts";

describe.skipIf(!inject("hostBrokers"))("a broker that fails", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "broker-trouble-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a broker killed in the middle and started again: projector, relay and replica go on by themselves, nothing lost", async () => {
    const broker = await startHostBroker({ isBrief: true });
    const config = testConfig(broker.brokers);
    const cluster = await openCluster(config);
    const projector = startProjector(config, join(folder, "views.sqlite"));
    const { say } = createSpeaker();
    const publishing = new AbortController();
    const { signal } = publishing;
    const published = publishViews(config, projector.store, { log: silent, signal, tracing: passingOn });
    const replica = openReplica(config);
    await replica.start();
    const nameOf = () => JSON.parse(viewsOf(projector.store)["lead-1"]?.body ?? "{}").lead?.firstName;
    try {
      await cluster.produce([say({ event: "lead.created", data: { firstName: "Before" } })]);
      await until("the first view", () => nameOf() === "Before");
      await broker.kill?.();
      await broker.start?.();
      await until("the producer to get through", () =>
        cluster.produce([say({ event: "lead.updated", data: { firstName: "After" } })]).then(
          () => true,
          () => false,
        ),
      );
      await until("the view after the restart", () => nameOf() === "After", 60_000);
      const rows = () => JSON.stringify([rowsOf(projector.store.db), replica.rows()]);
      const same = () => JSON.stringify([rowsOf(projector.store.db), rowsOf(projector.store.db)]);
      await until("the same on the replica", () => rows() === same(), 60_000);
      await replica.ready();
    } finally {
      await replica.close();
      publishing.abort();
      await published;
      await projector.stop();
      await cluster.close();
      await broker.stop();
    }
  });

  describe("over TLS", () => {
    let broker: Awaited<ReturnType<typeof startHostBroker>>;
    beforeAll(async () => {
      broker = await startHostBroker({ users: { projector: "right" }, tls: true, isBrief: true });
    });
    afterAll(() => broker?.stop());

    test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
      "with %s: right credentials are let in, wrong ones stop the projector with which settings to check",
      async (mechanism) => {
        const sasl = (password: string) => ({ mechanism, username: "projector", password });
        const right = testConfig(broker.brokers, { sasl: sasl("right"), tls: { ca: broker.ca as string } });
        const cluster = await openCluster(right);
        const refused = startProjector({ ...right, sasl: sasl("wrong") }, join(folder, "refused.sqlite"));
        const accepted = startProjector(right, join(folder, "accepted.sqlite"));
        const untrusting = startProjector({ ...right, tls: {} }, join(folder, "untrusting.sqlite"));
        try {
          await expect(refused.running).rejects.toThrow(
            /refused the credentials; check KAFKA_SASL_MECHANISM/,
          );
          await expect(untrusting.running).rejects.toThrow(/certificate.*KAFKA_TLS_CA_FILE/);
          await cluster.produce([createSpeaker().say({ event: "lead.created" })]);
          await until("the view", () => viewsOf(accepted.store)["lead-1"] !== undefined);
        } finally {
          for (const projector of [refused, accepted, untrusting]) await projector.stop();
          await cluster.close();
        }
      },
    );
  });

  test("projectors killed at random moments, and the broker too: nothing lost, nothing doubled, the same views", async () => {
    const result = await crashRun({ kills: 5, events: 4_000, brokerEvery: 4, seed: 7, workers: 2 });
    expect(result).toEqual({ kills: 5, events: 4_000, lost: 0, doubled: 0, differingViews: 0 });
  }, 180_000);
});
