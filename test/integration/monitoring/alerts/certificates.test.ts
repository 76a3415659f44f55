// The alert of brokers' certificates fires some time before they expire, and none while they are good for long.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { startOps } from "../../../../projector/ops/start-ops.ts";
import { readConfig } from "../../../../shared/config.ts";
import { freePort } from "../../../harness/free-port.ts";
import { silent } from "../../../harness/kafka.ts";
import { enterLeapingWorld } from "../../../harness/leaping-world.ts";
import { ALERTS } from "../../../harness/prometheus/alert-kinds.ts";
import { parseMetrics } from "../../../harness/prometheus/series.ts";
import { IDLE_API, openWatch, scraping, seenToFire } from "../../../harness/prometheus/watch.ts";
import { until } from "../../../harness/wait.ts";

const KEYTOOL = spawnSync("keytool", ["-help"]).error === undefined;

describe.skipIf(!KEYTOOL)("a broker's certificate", () => {
  test("is told of before it expires", async () => {
    const world = enterLeapingWorld();
    const folder = mkdtempSync(join(tmpdir(), "alerts-tls-"));
    const store = join(folder, "broker.p12");
    const made =
      "-genkeypair -alias broker -keyalg EC -storetype PKCS12 -storepass secret -dname CN=localhost -validity 30";
    execFileSync("keytool", [...made.split(" "), "-keystore", store], { stdio: "ignore" });
    const broker = createTlsServer({ pfx: readFileSync(store), passphrase: "secret" }).listen(0, "127.0.0.1");
    await until("the broker", () => broker.address() !== null);
    const brokers = `127.0.0.1:${(broker.address() as { port: number }).port}`;
    const port = await freePort();
    const config = readConfig({
      DATABASE_DIR: folder,
      KAFKA_BROKERS: brokers,
      KAFKA_TLS: "true",
      OPS_PORT: String(port),
    });
    const ops = await startOps(config, silent);
    try {
      await until("its certificate", () => ops.monitor.brokerCertificates().length === 1);
      const projector = scraping("lead-view-projector", port);
      const text = (await projector.scrape()) ?? "";
      const told = parseMetrics(text).find(
        ({ name }) => name === "lead_view_kafka_certificate_expiry_timestamp_seconds",
      );
      expect(told?.labels).toEqual({ broker: brokers });
      expect((told?.value ?? 0) - Date.now() / 1_000).toBeCloseTo(30 * 86_400, -3);
      // Nothing but what the certificate tells of: this one owns no folder.
      const itself = {
        ...projector,
        scrape: async () =>
          `${text
            .split("\n")
            .filter((line) => line.includes("certificate"))
            .join("\n")}\nlead_view_ready 1\n`,
      };
      const watch = openWatch(world, [itself, IDLE_API]);
      await watch.pass(60);
      watch.fires();
      await watch.pass(17 * 24 * 60);
      watch.fires("LeadViewCertificateExpires");
    } finally {
      await ops.stop();
      broker.close();
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("every alert of certificates was seen to fire", () => {
    expect(ALERTS.certificates.filter((alert) => !seenToFire().has(alert))).toEqual([]);
  });
});
