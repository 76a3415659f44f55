import type { Message } from "kafkajs";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { type ChangeRow, viewWithoutUrls } from "../../shared/view/change.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { type Outbox, readOutbox } from "./outbox-reader.ts";
import { createTopicChannel } from "./topic-channel.ts";

export const VIEWS_RELAY = "topic:views";
const LOOK_MS = 25;
/** Bytes of views that are in memory at once. */
const AT_ONCE_BYTES = 8 * 1024 ** 2;

export interface Publishing {
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly tracing: Tracing;
}

/**
 * Publishes changed views to the compacted topic until the signal aborts: at least once, in order per lead, and after any
 * outage. Of a lead that changed several times meanwhile, the latest view is published.
 */
export async function publishViews(
  config: KafkaConfig,
  store: Store,
  { log, signal, tracing }: Publishing,
): Promise<void> {
  const topic = config.leadViewTopic;
  const channel = createTopicChannel<ChangeRow>({
    config,
    topic,
    log,
    keyOf: ({ leadId }) => leadId,
    outgoing(change) {
      const { traceparent } = change;
      const step = traceparent === null ? undefined : tracing.send(traceparent, "kafka", topic);
      return { message: messageOf(change, step?.traceparent), end: (error) => step?.end(error) };
    },
    reference: referenceOf,
  });
  await readOutbox({ store, outbox: viewOutbox(store), channel, log, signal, lookMs: LOOK_MS });
}

/** The changed views that the topic does not have yet. */
function viewOutbox({ views, relays }: Store): Outbox<ChangeRow> {
  return {
    relay: VIEWS_RELAY,
    next: (most) => views.within(relays.position(VIEWS_RELAY), most, AT_ONCE_BYTES),
    advance: (rows) => relays.advance(VIEWS_RELAY, (rows.at(-1) as ChangeRow).number),
    find: views.change,
    nameOf: ({ leadId }) => leadId,
    numberOf: ({ number }) => number,
    bytesOf: ({ body }) => body?.length ?? 0,
    waiting: () => views.waiting(relays.position(VIEWS_RELAY)),
  };
}

/** A view under its lead's id, with CloudEvents headers in binary mode; an erased lead's is a tombstone. */
function messageOf(change: ChangeRow, traceparent: string | undefined): Message {
  const { leadId, status, body, urlSlots } = change;
  const erased = status === null || body === null;
  return {
    key: leadId,
    value: erased ? null : viewWithoutUrls(body, urlSlots),
    headers: {
      ...headersOf(change, erased ? "lead_view.erased" : "lead_view.changed"),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  };
}

/** What stands for a view that the topic can't take: no value (empty, for null would erase), and where to read it. */
function referenceOf(change: ChangeRow): Message {
  const dataref = `/api/v1/leads/${encodeURIComponent(change.leadId)}`;
  return {
    key: change.leadId,
    value: Buffer.alloc(0),
    headers: { ...headersOf(change, "lead_view.changed"), ce_dataref: dataref },
  };
}

const headersOf = ({ leadId, workspaceId, number }: ChangeRow, type: string) => ({
  ce_specversion: "1.0",
  ce_id: `${leadId}:${number}`,
  ce_source: "/lead-views",
  ce_type: type,
  ce_subject: leadId,
  ce_workspaceid: workspaceId,
  "content-type": "application/json",
  version: String(number),
});
