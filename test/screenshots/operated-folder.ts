import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../../projector/owner/ask.ts";
import { openStoreToRead } from "../../projector/store/store.ts";
import { readConfig } from "../../shared/config.ts";
import { writeHistory } from "../generate/write-history.ts";
import { startProgram } from "../harness/process.ts";
import { startReceiver } from "../harness/receiver.ts";
import { until } from "../harness/wait.ts";

export interface Operated {
  readonly leads: number;
  readonly deadLetters: number;
  readonly endpoints: number;
}

const PARTITIONS = 4;
const REASONS = [
  // Of an entity that is not there, of an unknown event, and no event at all.
  [
    "omni.checklist",
    (n: number) => event(n, "checklist_item.updated", { id: `item-${n}`, status: "COMPLETED" }),
  ],
  ["omni.document", (n: number) => event(n, "document.shredded", { id: `doc-${n}` })],
  ["omni.lead", (n: number) => `{"event":"lead.created","data":{"firstName":"cut off ${n}`],
] as const;

const leadOf = (n: number): string =>
  `partner-import/2026-03/europe-west/very-long-external-system-prefix/lead-${n}`;

const event = (n: number, name: string, data: object): string =>
  JSON.stringify({
    id: `late-${n}`,
    event: name,
    occurredAt: "2026-03-01T00:00:00Z",
    workspaceId: "ws-1",
    leadId: leadOf(n),
    data,
  });

/**
 * A projector at work as life has it: a generated history, records that can't be folded, and endpoints of webhooks of
 * which some take nothing.
 */
export async function openOperatedFolder({ leads, deadLetters, endpoints }: Operated) {
  const folder = mkdtempSync(join(tmpdir(), "operated-"));
  const [log, databaseDir] = [join(folder, "log"), join(folder, "views")];
  mkdirSync(databaseDir);
  writeHistory(log, { leads, seed: 1, partitions: PARTITIONS });
  const receiver = await startReceiver(({ body }) => (body.includes("webhook.test") ? 200 : 500));
  const env = {
    EVENT_LOG_DIR: log,
    DATABASE_DIR: databaseDir,
    WEBHOOKS_ALLOW_PRIVATE: "true",
    KAFKA_BROKERS: "",
  };
  const projector = startProgram("projector/main.ts", env);
  const address = await projector.opsAddress();
  const config = readConfig({ ...env, OPS_PORT: "0" });
  const say = (topic: string, partition: number, key: string, value: string) => {
    const quoted = value.endsWith("}") ? value : JSON.stringify(value);
    mkdirSync(join(log, topic), { recursive: true });
    appendFileSync(
      join(log, topic, `${partition}.ndjson`),
      `{"key":${JSON.stringify(key)},"timestamp":${Date.now()},"headers":{"traceparent":"00-${"ab".repeat(16)}-${"cd".repeat(8)}-01"},"value":${quoted}}\n`,
    );
  };
  for (let n = 0; n < deadLetters; n++) {
    const [topic, textFor] = REASONS[n % REASONS.length] as (typeof REASONS)[number];
    say(topic, n % PARTITIONS, leadOf(n), textFor(n));
  }
  for (let n = 0; n < endpoints; n++) {
    const workspaceId = n % 3 === 0 ? "ws-1" : `workspace-of-a-customer-with-a-long-name-${n}`;
    const url = `${receiver.url}/v2/tenants/0f0c1b1e-5a5e-4a0b-9d5a-1d9c7b7f5d5a/lead-views?environment=production&n=${n}`;
    const { id } = await ask(config, "webhooks.add", { workspaceId, url, force: true });
    if (n % 7 === 3) await ask(config, "webhooks.disable", { id });
  }
  const store = openStoreToRead({ databaseDir });
  await until("all to be folded", () => store.deadLetters.count() >= deadLetters, 120_000);
  /** A lead with some history. */
  const leadId = store.views.after(0, 1)[0]?.leadId as string;
  store.close();
  return {
    folder,
    log,
    databaseDir,
    config,
    address,
    leadId,
    projector,
    key: readFileSync(join(databaseDir, "ops-key"), "utf8").trim(),
    say,
    async close(): Promise<void> {
      await projector.stop();
      receiver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
