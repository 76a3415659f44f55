import { setTimeout as delay } from "node:timers/promises";
import type { Message } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { type ChangeRow, viewWithoutUrls } from "../../shared/view/change.ts";
import { createKafka } from "../source/kafka/client.ts";
import type { Store } from "../store/store.ts";

const RELAY = "kafka";
const LOOK_MS = 25;
const LONGEST_WAIT_MS = 10_000;
const AT_ONCE = 500;

/**
 * Publishes changed views to the compacted topic until the signal aborts: at least once, in order per lead, and after
 * any outage (design.md section 9). Of a lead that changed several times meanwhile, the latest view is published.
 */
export async function publishViews(
  config: KafkaConfig,
  store: Store,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const producer = createKafka(config, log).producer({
    allowAutoTopicCreation: false,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  let connected = false;
  for (let wait = LOOK_MS; !signal.aborted; await delay(wait, undefined, { signal }).catch(() => undefined)) {
    try {
      for (;;) {
        const changes = store.changes.after(store.changes.published(RELAY), AT_ONCE);
        const last = changes.at(-1);
        if (!last || signal.aborted) break;
        if (!connected) await producer.connect();
        connected = true;
        await producer.send({ topic: config.leadViewTopic, acks: -1, messages: changes.map(messageOf) });
        store.changes.markPublished(RELAY, last.seq);
      }
      wait = LOOK_MS;
    } catch (error) {
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      const behind = store.changes.waiting(store.changes.published(RELAY));
      log.warn(
        { error: (error as Error).message, behind, retryInMs: wait },
        "views can't be published; trying again",
      );
    }
  }
  await producer.disconnect().catch(() => undefined);
}

/** A view under its lead's id, with CloudEvents headers in binary mode; an erased lead's is a tombstone. */
function messageOf({ leadId, workspaceId, version, status, body, urlSlots }: ChangeRow): Message {
  const erased = status === null || body === null;
  return {
    key: leadId,
    value: erased ? null : viewWithoutUrls(body, urlSlots),
    headers: {
      ce_specversion: "1.0",
      ce_id: `${leadId}:${version}`,
      ce_source: "/lead-views",
      ce_type: erased ? "lead_view.erased" : "lead_view.changed",
      ce_subject: leadId,
      ce_workspaceid: workspaceId,
      "content-type": "application/json",
      version: String(version),
    },
  };
}
