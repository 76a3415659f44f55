import type { Admin, Kafka } from "kafkajs";
import { after, randomId } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { type Position, partitionName, recordHash, SourceError } from "../source.ts";
import { heldOffsets, requireHeld } from "./history-check.ts";
import { cursorOfCluster, recordOfMessage } from "./kafka-record.ts";

const DEADLINE_MS = 60_000;

/**
 * Holds positions that were reached in another log (files, or another cluster) to this one's records: it is the same log
 * only where the last record that was folded of each partition is the same here. A record that is here no more can't be
 * compared, and is taken on trust.
 * @throws SourceError where it is another log
 */
export async function requireSameLog(
  kafka: Kafka,
  admin: Admin,
  config: KafkaConfig,
  positions: readonly Position[],
  clusterId: string,
): Promise<void> {
  const here = cursorOfCluster(clusterId);
  const strange = new Map<string, Position>();
  for (const position of positions) {
    if (position.last === null || position.cursor === here) continue;
    const held = (await heldOffsets(admin, nameOf(config, position))).get(position.partition);
    requireHeld(position, held);
    if (held && held.low <= position.last.offset) strange.set(partitionName(position), position);
  }
  if (strange.size > 0) await compare(kafka, admin, config, strange);
}

const nameOf = ({ topics }: KafkaConfig, { topic }: Position): string => topics.get(topic) ?? topic;

async function compare(
  kafka: Kafka,
  admin: Admin,
  config: KafkaConfig,
  strange: Map<string, Position>,
): Promise<void> {
  const topicOf = new Map([...config.topics].map(([topic, name]) => [name, topic]));
  const groupId = `${config.groupId}-compare-${randomId()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, retry: { retries: 3 } });
  const left = new Map(strange);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waitedTooLong = () =>
    reject(
      new SourceError(
        `the log could not be compared with the one that was folded: the broker gave no record of ${[...left.keys()].join(", ")}`,
      ),
    );
  const deadline = after(DEADLINE_MS, waitedTooLong);
  try {
    await consumer.connect();
    await consumer.subscribe({
      topics: [...new Set([...strange.values()].map((one) => nameOf(config, one)))],
    });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const topic = topicOf.get(batch.topic) as string;
        const position = left.get(partitionName({ topic, partition: batch.partition }));
        const [message] = batch.messages;
        if (!position?.last || !message) return;
        // A fetch that ran before the seek says nothing of the place.
        if (Number((batch as unknown as { fetchedOffset: string }).fetchedOffset) !== position.last.offset)
          return;
        const record = recordOfMessage(topic, batch.partition, message);
        if (record.offset !== position.last.offset || recordHash(record) !== position.last.hash) {
          reject(anotherLog(position));
          return;
        }
        left.delete(partitionName(position));
        if (left.size === 0) resolve();
      },
    });
    for (const position of strange.values()) {
      const offset = String(position.last?.offset);
      consumer.seek({ topic: nameOf(config, position), partition: position.partition, offset });
    }
    await promise;
  } finally {
    deadline.stop();
    await consumer.disconnect().catch(() => undefined);
    await admin.deleteGroups([groupId]).catch(() => undefined);
  }
}

const anotherLog = (position: Position): SourceError =>
  new SourceError(
    `${partitionName(position)}: the record at offset ${position.last?.offset} is not the one that was folded: the views ` +
      "in DATABASE_DIR were folded from another log. Use another DATABASE_DIR, or make the views of what this log holds " +
      "(npx lead-view rebuild --accept-loss)",
    "changed",
  );
