import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMonitor } from "../../projector/ops/monitor.ts";
import { becomeOwner } from "../../projector/owner/lock.ts";
import { runReplica } from "../../projector/replica/run-replica.ts";
import { readConfig } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import { openReader } from "../../shared/sqlite.ts";
import { type ApiOptions, openApiOf } from "./api.ts";
import { silent } from "./kafka.ts";
import { until } from "./wait.ts";

/**
 * A folder of a replica's own, to be started on and stopped, with an API over it.
 * @param keysOf another folder, whose keys it has; undefined = none
 */
export function openReplica(kafka: KafkaConfig, keysOf?: string) {
  const databaseDir = mkdtempSync(join(tmpdir(), "lead-view-replica-"));
  if (keysOf !== undefined) {
    for (const suffix of ["", "-wal", "-shm"])
      cpSync(join(keysOf, `keys.sqlite${suffix}`), join(databaseDir, `keys.sqlite${suffix}`));
  }
  const config = { ...readConfig({ DATABASE_DIR: databaseDir }), role: "replica", kafka } as const;
  let monitor = newMonitor();
  let stop: () => Promise<void> = async () => undefined;
  let running: Promise<void> = Promise.resolve();
  let api: ReturnType<typeof openApiOf> | undefined;

  function newMonitor() {
    return createMonitor(
      { role: "replica", databaseDir, publishes: true, mostLagSeconds: config.readyMaxLagSeconds },
      () => undefined,
    );
  }

  return {
    databaseDir,
    /** Why it is not ready; undefined where it is. */
    reason: () => monitor.reason(),
    outboxes: () => monitor.outboxes(),
    async start(over: Partial<KafkaConfig> = {}, more: Readonly<Record<string, string>> = {}): Promise<void> {
      const stopping = new AbortController();
      monitor = newMonitor();
      const ownership = await becomeOwner(databaseDir, stopping.signal, () => undefined);
      const { projectorUrl, ops } = readConfig(more);
      const own = { ...config, projectorUrl, ops, kafka: { ...kafka, ...over } };
      const parts = { config: own, log: silent, monitor };
      running = runReplica(parts, stopping.signal).finally(() => ownership?.release());
      running.catch(() => undefined);
      stop = async () => {
        stopping.abort();
        await running.catch(() => undefined);
        monitor.stop();
      };
    },
    /** Rejects with why it can't go on. */
    ended: () => running,
    ready: () =>
      until("the replica to be ready", () => monitor.reason() === undefined).catch((error) => {
        throw new Error(`${error.message}: ${monitor.reason()}`);
      }),
    /** The API over its folder, once there are views. */
    server(options: ApiOptions = {}) {
      api ??= openApiOf(databaseDir, options);
      return api.server;
    },
    /** All rows by lead id: what the API serves of them. */
    rows(): Record<string, unknown> {
      const db = openReader(viewFile({ databaseDir }));
      try {
        return rowsOf(db);
      } finally {
        db.close();
      }
    },
    /** True where one of the files of its views has the text in it. */
    holds: (text: string): boolean =>
      readdirSync(databaseDir).some(
        (name) => name.startsWith("lead_view") && readFileSync(join(databaseDir, name)).includes(text),
      ),
    stop: () => stop(),
    async close(): Promise<void> {
      await stop();
      await api?.close();
      rmSync(databaseDir, { recursive: true, force: true });
    },
  };
}

/** What readers see of each lead: its row, without the trace, which names the step that wrote it. */
export function rowsOf(db: ReturnType<typeof openReader>): Record<string, unknown> {
  const rows = db
    .prepare<[], { leadId: string }>(
      `SELECT lead_id AS leadId, workspace_id, number, status, section_numbers, section_ends, url_slots, body
       FROM lead_view ORDER BY lead_id`,
    )
    .all();
  return Object.fromEntries(rows.map(({ leadId, ...row }) => [leadId, row]));
}
