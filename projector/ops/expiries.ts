import { existsSync } from "node:fs";
import { Gauge, type Registry } from "prom-client";
import { every, wallClock } from "../../shared/clock.ts";
import { type Config, keysFile } from "../../shared/config.ts";
import { listKeys, type StoredKey } from "../../shared/keys.ts";
import { openReader } from "../../shared/sqlite.ts";
import { readCertificates } from "../source/kafka/certificates.ts";
import type { Monitor } from "./monitor.ts";

const HOUR_MS = 3_600_000;

/**
 * When somebody will be locked out next: the earliest moment at which the last key of a workspace's name expires. A key
 * that was given a successor is not missed.
 * @returns milliseconds since 1970; undefined where no key expires any more
 */
export function nextLockOut(
  keys: readonly Pick<StoredKey, "workspaceId" | "name" | "expiresAt">[],
  now: number,
): number | undefined {
  const last = new Map<string, number>();
  for (const { workspaceId, name, expiresAt } of keys) {
    const holder = JSON.stringify([workspaceId, name]);
    last.set(holder, Math.max(last.get(holder) ?? 0, expiresAt ?? Number.POSITIVE_INFINITY));
  }
  const coming = [...last.values()].filter((at) => at > now && at < Number.POSITIVE_INFINITY);
  return coming.length === 0 ? undefined : Math.min(...coming);
}

/** What expires, as timestamps: an alert compares them with the time. */
export function registerExpiries(registry: Registry, monitor: Monitor, config: Config): void {
  const registers = [registry];
  new Gauge({
    name: "lead_view_api_key_expiry_timestamp_seconds",
    help: "When the next API key without a successor expires; not there where none does",
    registers,
    collect() {
      this.remove();
      const at = lockOutOf(config);
      if (at !== undefined) this.set(at / 1_000);
    },
  });
  new Gauge({
    name: "lead_view_kafka_certificate_expiry_timestamp_seconds",
    help: "When the TLS certificate expires that a broker shows, by the addresses of KAFKA_BROKERS",
    labelNames: ["broker"],
    registers,
    collect() {
      this.reset();
      for (const { broker, expiresAt } of monitor.brokerCertificates())
        this.set({ broker }, expiresAt / 1_000);
    },
  });
}

function lockOutOf(config: Config): number | undefined {
  const file = keysFile(config);
  if (!existsSync(file)) return undefined;
  try {
    const db = openReader(file);
    try {
      return nextLockOut(listKeys(db), wallClock());
    } finally {
      db.close();
    }
  } catch {
    // A store that can't be read now is looked at again at the next scrape.
    return undefined;
  }
}

/** Looks at the brokers' certificates now and every hour, where there are any. @returns what stops it */
export function watchCertificates(monitor: Monitor, { kafka }: Pick<Config, "kafka">): () => void {
  if (!kafka || kafka.tls === false) return () => undefined;
  const look = () => void readCertificates(kafka).then(monitor.certificates);
  look();
  const timer = every(HOUR_MS, look).unref();
  return () => timer.stop();
}
