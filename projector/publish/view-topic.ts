import type { Message } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { type ChangeRow, viewWithoutUrls } from "../../shared/view/change.ts";
import { createKafka } from "../source/kafka/client.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { runRelay } from "./relay.ts";

const RELAY = "topic:views";
const LOOK_MS = 25;
const AT_ONCE = 500;

/**
 * Publishes changed views to the compacted topic until the signal aborts: at least once, in order per lead, and after
 * any outage (design.md section 9). Of a lead that changed several times meanwhile, the latest view is published.
 */
export async function publishViews(
  config: KafkaConfig,
  store: Store,
  { log, signal, tracing }: Publishing,
): Promise<void> {
  await runRelay({
    producer: createKafka(config, log).producer({
      allowAutoTopicCreation: false,
      idempotent: true,
      maxInFlightRequests: 1,
    }),
    next: () => store.views.after(store.relays.position(RELAY), AT_ONCE),
    async publish(producer, changes) {
      const sent = changes.map(({ traceparent }) =>
        traceparent === null ? undefined : tracing.send(traceparent, "kafka", config.leadViewTopic),
      );
      const messages = changes.map((change, index) => messageOf(change, sent[index]?.traceparent));
      try {
        await producer.send({ topic: config.leadViewTopic, acks: -1, messages });
      } catch (error) {
        for (const step of sent) step?.end((error as Error).name);
        throw error;
      }
      for (const step of sent) step?.end();
      store.relays.advance(RELAY, (changes.at(-1) as ChangeRow).number);
    },
    waiting: () => waitingViews(store),
    what: "views",
    lookMs: LOOK_MS,
    log,
    signal,
  });
}

/** How many changed views the topic does not have yet. */
export const waitingViews = ({ views, relays }: Store): number => views.waiting(relays.position(RELAY));

export interface Publishing {
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly tracing: Tracing;
}

/** A view under its lead's id, with CloudEvents headers in binary mode; an erased lead's is a tombstone. */
function messageOf(
  { leadId, workspaceId, number, status, body, urlSlots }: ChangeRow,
  traceparent: string | undefined,
): Message {
  const erased = status === null || body === null;
  return {
    key: leadId,
    value: erased ? null : viewWithoutUrls(body, urlSlots),
    headers: {
      ce_specversion: "1.0",
      ce_id: `${leadId}:${number}`,
      ce_source: "/lead-views",
      ce_type: erased ? "lead_view.erased" : "lead_view.changed",
      ce_subject: leadId,
      ce_workspaceid: workspaceId,
      "content-type": "application/json",
      version: String(number),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  };
}
