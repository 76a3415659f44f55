import { EventSource } from "eventsource";
import type kafkajs from "kafkajs";
import { Webhook } from "standardwebhooks";
import { startReceiver } from "./receiver.ts";

/** A lead's view as a subscriber keeps it. */
export interface KeptView {
  /** The number of the change. */
  readonly version: number;
  readonly view: unknown;
}

/**
 * A consumer of the topic of views that any language can copy: it keeps each lead's latest view in a map, from the topic's
 * start on. A value of null says that the view is gone; `ce_dataref` in the place of a value says where to read it.
 */
export async function keepViewsOfTopic(kafka: kafkajs.Kafka, topic: string, groupId: string) {
  const views = new Map<string, KeptView>();
  const seen: Record<string, number[]> = {};
  const headers: Record<string, string>[] = [];
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 20 * 1024 ** 2, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const leadId = String(message.key);
      const texts = Object.fromEntries(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      );
      const version = Number(texts.version);
      headers.push(texts);
      seen[leadId] = [...(seen[leadId] ?? []), version];
      if (message.value === null) views.delete(leadId);
      else if (texts.ce_dataref !== undefined) views.set(leadId, { version, view: texts.ce_dataref });
      else views.set(leadId, { version, view: JSON.parse(message.value.toString()) });
    },
  });
  return {
    views,
    /** The versions of each lead in the order in which the topic has them. */
    seen,
    headers,
    /** True where a lead's versions never went back. */
    inOrder: () =>
      Object.values(seen).every((list) => list.every((version, index) => version >= (list[index - 1] ?? 0))),
    stop: () => consumer.disconnect(),
  };
}

/**
 * The same by Server-Sent Events, with the standard's own client: all there is first, then what follows. Where the server
 * can't be had the client comes again by itself; where it was refused (a server that is starting), it is made anew, behind
 * the last id.
 */
export function keepViewsOfStream(url: string, key: string) {
  const views = new Map<string, KeptView>();
  let last: string | undefined;
  let source: EventSource;
  let again: NodeJS.Timeout | undefined;
  const open = () => {
    source = new EventSource(url, {
      fetch: (input, init) => {
        const headers = { ...init.headers, "x-api-key": key, ...(last && { "last-event-id": last }) };
        return fetch(input, { ...init, headers });
      },
    });
    const on = (event: string, work: (data: { leadId: string; version: number; view: unknown }) => void) =>
      source.addEventListener(event, ({ data, lastEventId }) => {
        last = lastEventId;
        work(JSON.parse(data));
      });
    // What was told may be told again, never passed over: an older one than is kept says nothing.
    const isNews = (leadId: string, version: number) => version > (views.get(leadId)?.version ?? 0);
    on("reset", () => views.clear());
    on("lead_view.changed", ({ leadId, version, view }) => {
      if (isNews(leadId, version)) views.set(leadId, { version, view });
    });
    on("lead_view.erased", ({ leadId, version }) => {
      if (isNews(leadId, version)) views.delete(leadId);
    });
    source.onerror = () => {
      if (source.readyState === source.CLOSED) again = setTimeout(open, 250);
    };
  };
  open();
  return {
    views,
    stop() {
      clearTimeout(again);
      source.close();
    },
  };
}

/** The same by webhooks: each message is verified, and an older one than is kept says nothing. */
export async function keepViewsOfWebhooks() {
  const views = new Map<string, KeptView>();
  /** Also of leads that are gone, so that an older message does not bring one back. */
  const versions = new Map<string, number>();
  let webhook: Webhook | undefined;
  const receiver = await startReceiver(({ headers, body }) => {
    if (webhook === undefined) return 503;
    const message = webhook.verify(body, headers as Record<string, string>) as {
      readonly type: string;
      readonly data: { readonly leadId: string; readonly version: number; readonly view: unknown };
    };
    const { leadId, version, view } = message.data;
    if (version <= (versions.get(leadId) ?? 0)) return 200;
    versions.set(leadId, version);
    if (message.type === "lead_view.erased") views.delete(leadId);
    else views.set(leadId, { version, view });
    return 200;
  });
  return {
    views,
    url: receiver.url,
    /** The endpoint's secret, once it is known. */
    knows(secret: string): void {
      webhook = new Webhook(secret);
    },
    stop: receiver.close,
  };
}
