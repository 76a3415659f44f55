import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Position } from "../source.ts";
import { createKafka } from "./client.ts";

/** The ends of all event topics as they are now: the offsets that their next records will have. */
export async function endPositions(config: KafkaConfig, log: Logger): Promise<Position[]> {
  const admin = createKafka(config, log).admin();
  await admin.connect();
  try {
    const ends: Position[] = [];
    for (const [topic, name] of config.topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(name)) {
        ends.push({ topic, partition, nextOffset: Number(high), last: null, cursor: null });
      }
    }
    return ends;
  } finally {
    await admin.disconnect();
  }
}
