import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import type { ChangeRow } from "../../shared/view/change.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { type Outbox, readOutbox } from "./outbox-reader.ts";
import { createTopicChannel } from "./topic-channel.ts";
import { messageOf, referenceOf } from "./view-record.ts";

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
