// Replicas as processes: killed at any time, and told to fold where the projector is lost.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { viewFile } from "../../../shared/generation.ts";
import { openReader } from "../../../shared/sqlite.ts";
import { createSpeaker } from "../../harness/events.ts";
import { envOf, openCluster, testConfig } from "../../harness/kafka.ts";
import { type OwnerFolder, openOwnerFolder } from "../../harness/owner-folder.ts";
import { rowsOf } from "../../harness/replica.ts";
import { until } from "../../harness/wait.ts";

interface Row {
  readonly number: number;
  readonly body: { readonly data: number[] } | null;
}

describe.skipIf(inject("brokers") === "")("a replica's process", () => {
  const config = testConfig();
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let at: OwnerFolder;
  beforeEach(async () => {
    cluster = await openCluster(config);
    at = openOwnerFolder({
      ...envOf(config),
      KAFKA_SESSION_TIMEOUT_MS: "6000",
    });
  });
  afterEach(async () => {
    await at.close();
    await cluster.close();
  });

  const rowsIn = (databaseDir: string): Record<string, Row> => {
    if (!existsSync(viewFile({ databaseDir }))) return {};
    const db = openReader(viewFile({ databaseDir }));
    try {
      return rowsOf(db) as Record<string, Row>;
    } catch {
      // It is being made.
      return {};
    } finally {
      db.close();
    }
  };
  const nameIn = (databaseDir: string, leadId: string): string | undefined => {
    const body = rowsIn(databaseDir)[leadId]?.body as Buffer | null | undefined;
    return body ? JSON.parse(Buffer.from(body).toString()).lead.firstName : undefined;
  };
  const readiness = async (address: string) => {
    const answer = await fetch(`${address}/health/ready`);
    return answer.ok ? "ready" : ((await answer.json()) as { detail: string }).detail;
  };

  test("killed again and again it ends with the projector's rows; told to fold it serves on, and its numbers go on", async () => {
    const { say, record } = createSpeaker();
    const folder = join(at.folder, "replica");
    const own = { ROLE: "replica", DATABASE_DIR: folder };
    const projector = at.start();
    await cluster.produce([say({ leadId: "still", event: "lead.created", data: { firstName: "Still" } })]);
    for (let round = 0; round < 4; round++) {
      const replica = at.start(own);
      const events = Array.from({ length: 100 }, (_, index) =>
        say({
          leadId: `lead-${index}`,
          event: round === 0 ? "lead.created" : "lead.updated",
          data: { firstName: `${round}` },
        }),
      );
      await cluster.produce(events);
      if (round === 3) await cluster.produce([record("omni.lead", { key: Buffer.from("lead-7") })]);
      // Somewhere in the middle of it.
      await until("some of it", () => nameIn(folder, `lead-${30 * round}`) === `${round}`);
      await replica.stop("SIGKILL");
    }
    const replica = at.start(own);
    await until("the projector's rows", () => {
      const [mine, theirs] = [rowsIn(at.databaseDir), rowsIn(folder)];
      return Object.keys(mine).length === 101 && JSON.stringify(mine) === JSON.stringify(theirs);
    });
    const address = await replica.opsAddress();
    await until("it to be ready", async () => (await readiness(address)) === "ready");
    const metrics = await (await fetch(`${address}/metrics`)).text();
    expect(metrics).toMatch(/^lead_view_replica_behind_seconds 0$/m);
    // Another generation begins to serve: what it changed nothing of keeps its number, and nothing is left out.
    const unchanged = rowsIn(folder)["still"];
    const rebuilding = at.run("rebuild");
    expect([rebuilding.status, rebuilding.stdout]).toEqual([0, expect.any(String)]);
    await cluster.produce([
      say({ leadId: "lead-2", event: "lead.updated", data: { firstName: "After the switch" } }),
    ]);
    await until("what came after the switch", () => nameIn(folder, "lead-2") === "After the switch", 60_000);
    expect(rowsIn(folder)).toEqual(rowsIn(at.databaseDir));
    expect(rowsIn(folder)["still"]).toEqual(unchanged);
    await until("it to be ready", async () => (await readiness(address)) === "ready", 60_000);
    const before = rowsIn(folder);
    await projector.stop("SIGKILL");
    await replica.stop("SIGKILL");
    await cluster.produce([
      say({ leadId: "lead-1", event: "lead.updated", data: { firstName: "Afterwards" } }),
    ]);
    const standby = at.start({ DATABASE_DIR: folder, KAFKA_GROUP_ID: `${config.groupId}-standby` });
    await standby.said(/this folder was a replica's/);
    await until("what came since", () => nameIn(folder, "lead-1") === "Afterwards", 60_000);
    const after = rowsIn(folder);
    expect(after["still"]).toEqual(before["still"]);
    for (const [leadId, { number }] of Object.entries(after))
      expect(number).toBeGreaterThanOrEqual(before[leadId]?.number ?? 0);
    expect(after["lead-1"]?.number).toBeGreaterThan(
      Math.max(...Object.values(before).map(({ number }) => number)),
    );
    expect(after["lead-7"]?.body).toBeNull();
    // Another replica follows it as it did the lost one.
    const other = join(at.folder, "other");
    at.start({ ROLE: "replica", DATABASE_DIR: other });
    await until("the other replica to have the same", () => isDeepStrictEqual(rowsIn(other), rowsIn(folder)));
  }, 120_000);
});
