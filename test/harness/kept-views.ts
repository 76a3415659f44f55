import type kafkajs from "kafkajs";

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
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 20 * 1024 ** 2 });
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
