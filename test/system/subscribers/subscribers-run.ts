import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Producer } from "kafkajs";
import { createKafka } from "../../../projector/source/kafka/client.ts";
import { keysFile, readConfig } from "../../../shared/config.ts";
import { topicOf } from "../../../shared/events/catalogue.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { createLog } from "../../../shared/log.ts";
import { createRandom } from "../../generate/random.ts";
import { createTopics, topicNames } from "../../harness/broker/create-topics.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { freePort } from "../../harness/free-port.ts";
import {
  type KeptView,
  keepViewsOfStream,
  keepViewsOfTopic,
  keepViewsOfWebhooks,
} from "../../harness/kept-views.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

export interface SubscribersPlan {
  readonly kills: number;
  readonly leads: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

/** Of each subscriber, how many leads it kept otherwise than the API answers in the end. */
export interface SubscribersResult {
  readonly kills: number;
  readonly events: number;
  readonly views: number;
  readonly topicDiffers: number;
  readonly streamDiffers: number;
  readonly webhooksDiffer: number;
}

const WORKSPACE = "ws-1";
const PARTITIONS = 4;
const CATCH_UP_MS = 120_000;
const silent = createLog("projector", "silent");

/**
 * Three subscribers keep the views, by the topic, by Server-Sent Events and by webhooks, while events are written and the
 * broker, the projector and the API are killed at random; then each is compared with what the API answers.
 */
export async function subscribersRun({
  kills,
  leads,
  seed,
  onProgress,
}: SubscribersPlan): Promise<SubscribersResult> {
  const random = createRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "subscribers-"));
  const broker = await startHostBroker({ isBrief: true });
  const port = await freePort();
  const env = {
    KAFKA_BROKERS: broker.brokers,
    DATABASE_DIR: folder,
    PORT: String(port),
    API_WORKERS: "2",
    WEBHOOKS_ALLOW_PRIVATE: "true",
    KAFKA_SESSION_TIMEOUT_MS: "1000",
    LOG_LEVEL: "fatal",
  };
  const config = readConfig(env).kafka as KafkaConfig;
  const kafka = createKafka(config, silent);
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, topicNames(config), PARTITIONS);
  await admin.disconnect();
  const keys = openKeys(keysFile({ databaseDir: folder }));
  const key = createKey(keys, WORKSPACE, "subscriber");
  keys.close();

  const start = (file: "projector/main.ts" | "api/main.ts") => startProgram(file, env);
  let [projector, api] = [start("projector/main.ts"), start("api/main.ts")];
  const address = `http://127.0.0.1:${port}`;
  const answers = async (path: string) =>
    fetch(`${address}${path}`, { headers: { "x-api-key": key } }).catch(() => undefined);
  await until("the API", async () => (await answers("/health/ready"))?.ok, 60_000);

  const webhooks = await keepViewsOfWebhooks();
  const added = execFileSync(
    process.execPath,
    [LEAD_VIEW, ..."webhooks add --workspace ws-1 --url".split(" "), webhooks.url],
    { env: { ...process.env, ...env }, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  webhooks.knows(added.trim().split(/\s+/)[1] as string);
  const stream = keepViewsOfStream(`${address}/api/v1/lead-views/events?from=start`, key);
  const topic = await keepViewsOfTopic(kafka, config.leadViewTopic, `keep-${randomUUID()}`);

  let producer: Producer | undefined;
  let events = 0;
  /** Each lead's name as of its last event; undefined where that erased it. */
  const said = new Map<string, string | undefined>();
  const say = async (): Promise<void> => {
    const leadId = `lead-${random.integer(0, leads - 1)}`;
    if (said.has(leadId) && said.get(leadId) === undefined) return;
    const erases = said.has(leadId) && random.integer(0, 99) === 0;
    const event = said.has(leadId) ? "lead.updated" : "lead.created";
    const firstName = `Name ${events}`;
    const data = { firstName, activitySummary: "x".repeat(random.integer(0, 5_000)) };
    const occurredAt = "2026-03-01T00:00:00Z";
    const value = { id: randomUUID(), event, occurredAt, workspaceId: WORKSPACE, leadId, data };
    const name = config.topics.get(topicOf(event) as string) as string;
    // The same event until the broker has it; it may have it twice.
    await until(
      "the broker to take an event",
      async () => {
        try {
          if (producer === undefined) {
            producer = kafka.producer({ allowAutoTopicCreation: false });
            await producer.connect();
          }
          const message = { key: leadId, value: erases ? null : JSON.stringify(value) };
          await producer.send({ topic: name, acks: -1, messages: [message] });
          return true;
        } catch {
          await producer?.disconnect().catch(() => undefined);
          producer = undefined;
          return false;
        }
      },
      CATCH_UP_MS,
    );
    events++;
    said.set(leadId, erases ? undefined : firstName);
  };

  try {
    for (let kill = 0; kill < kills; kill++) {
      for (let event = 0; event < 20; event++) await say();
      await delay(random.integer(0, 400));
      const target = random.integer(0, 9);
      if (target === 0) {
        await broker.kill?.();
        await broker.start?.();
      } else if (target < 5) {
        await api.stop("SIGKILL");
        api = start("api/main.ts");
      } else {
        await projector.stop("SIGKILL");
        projector = start("projector/main.ts");
      }
      onProgress?.(`${kill + 1} kills, ${events} events`);
    }
    for (let event = 0; event < 20; event++) await say();
    const ids = [...said.keys()];
    const truth = async (): Promise<Map<string, unknown>> => {
      const views = new Map<string, unknown>();
      for (const leadId of ids) {
        const answer = await answers(`/api/v1/leads/${leadId}`);
        if (answer?.status === 200) views.set(leadId, await answer.json());
      }
      return views;
    };
    const differing = (kept: ReadonlyMap<string, KeptView>, views: ReadonlyMap<string, unknown>) =>
      ids.filter((leadId) => JSON.stringify(kept.get(leadId)?.view) !== JSON.stringify(views.get(leadId)))
        .length;
    const isFolded = async () => {
      const views = (await truth()) as Map<string, { readonly lead: { readonly firstName: string } }>;
      return ids.every((leadId) => views.get(leadId)?.lead.firstName === said.get(leadId));
    };
    await until("the API to answer with the last event of each lead", isFolded, CATCH_UP_MS);
    let result: SubscribersResult | undefined;
    const compare = async () => {
      const views = await truth();
      result = {
        kills,
        events,
        views: views.size,
        topicDiffers: differing(topic.views, views),
        streamDiffers: differing(stream.views, views),
        webhooksDiffer: differing(webhooks.views, views),
      };
      return result.topicDiffers + result.streamDiffers + result.webhooksDiffer === 0;
    };
    await until("every subscriber to have what the API answers", compare, CATCH_UP_MS).catch(() => undefined);
    return result as unknown as SubscribersResult;
  } finally {
    stream.stop();
    webhooks.stop();
    await topic.stop().catch(() => undefined);
    await producer?.disconnect().catch(() => undefined);
    await api.stop("SIGKILL");
    await projector.stop("SIGKILL");
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
