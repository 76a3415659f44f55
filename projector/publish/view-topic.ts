import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import type { ChangeRow } from "../../shared/view/change.ts";
import type { Store } from "../store/store.ts";
import { untilPassed } from "../store/until-passed.ts";
import type { Tracing } from "../trace/tracing.ts";
import { publishFloor } from "./floor.ts";
import { type Outbox, readOutbox } from "./outbox-reader.ts";
import { createTopicChannel } from "./topic-channel.ts";
import { createTopicEnds, type TopicEnds } from "./topic-ends.ts";
import { messageOf, RECORD_FORMAT, referenceOf } from "./view-record.ts";

export const VIEWS_RELAY = "topic:views";
const LOOK_MS = 25;
/** Bytes of views that are in memory at once. */
const AT_ONCE_BYTES = 8 * 1024 ** 2;

export interface Publishing {
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly tracing: Tracing;
  /** Why the projector is not ready, for replicas to tell; absent = it is. */
  readonly reason?: () => string | undefined;
  /** Milliseconds that the broker has for an answer, and after which other partitions wait no longer; absent = as usual. */
  readonly answerMs?: number;
  readonly slowMs?: number;
}

/**
 * Publishes changed views to the compacted topic until the signal aborts: at least once, in order per lead, and after any
 * outage. Of a lead that changed several times meanwhile, the latest view is published.
 */
export async function publishViews(
  config: KafkaConfig,
  store: Store,
  { log, signal, tracing, reason = () => undefined, answerMs, slowMs }: Publishing,
): Promise<void> {
  const topic = config.leadViewTopic;
  const begin = () => {
    beginAgainForFormat(store, log);
    return createTopicEnds(store, VIEWS_RELAY);
  };
  const ends = await untilPassed("the view database", begin, { log, signal });
  if (!ends) return;
  const channel = createTopicChannel<ChangeRow>({
    config,
    topic,
    log,
    answerMs,
    keyOf: ({ leadId }) => leadId,
    outgoing(change) {
      const { traceparent } = change;
      const step = traceparent === null ? undefined : tracing.send(traceparent, "kafka", topic);
      return { message: messageOf(change, step?.traceparent), end: (error) => step?.end(error) };
    },
    reference: referenceOf,
    onAcknowledged: (partition, end) => ends.acknowledged(partition, end),
  });
  await Promise.all([
    readOutbox({ store, outbox: viewOutbox(store, ends), channel, log, signal, lookMs: LOOK_MS, slowMs }),
    publishFloor({ config, store, relay: VIEWS_RELAY, shard: config.shard, ends, reason, log, signal }),
  ]);
}

/** A topic that was written by an older program lacks what replicas need: all is published again, in today's form. */
function beginAgainForFormat({ relays, transaction }: Store, log: Logger): void {
  const format = `${VIEWS_RELAY}/format`;
  if (relays.position(format) === RECORD_FORMAT) return;
  transaction(() => {
    if (relays.position(VIEWS_RELAY) > 0) log.info("the topic of views is written again in a newer form");
    relays.advance(VIEWS_RELAY, 0);
    relays.advance(format, RECORD_FORMAT);
  });
}

/** The changed views that the topic does not have yet. */
function viewOutbox({ views, relays }: Store, ends: TopicEnds): Outbox<ChangeRow> {
  return {
    relay: VIEWS_RELAY,
    next(most) {
      ends.takeBeginsAgain();
      return views.within(relays.position(VIEWS_RELAY), most, AT_ONCE_BYTES);
    },
    advance: (rows) => relays.advance(VIEWS_RELAY, (rows.at(-1) as ChangeRow).number),
    find: views.change,
    nameOf: ({ leadId }) => leadId,
    numberOf: ({ number }) => number,
    bytesOf: ({ body }) => body?.length ?? 0,
    waiting: () => views.waiting(relays.position(VIEWS_RELAY)),
  };
}
