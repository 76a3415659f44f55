import { delay } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Position } from "../source.ts";
import { createKafka } from "./client.ts";

/** What kafkajs does not ask again by itself, such as of a topic whose leader is just being chosen, is asked so often. */
const TRIES = 5;
const RETRY_MS = 500;

/**
 * The ends of all event topics as they are now: the offsets that their next records will have.
 * @throws Error of kafkajs where the broker can't be asked
 */
export async function endPositions(config: KafkaConfig, log: Logger): Promise<Position[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask(config, log);
    } catch (error) {
      const { retriable = false } = error as { retriable?: boolean };
      if (!retriable || tries === TRIES) throw error;
      await delay(RETRY_MS);
    }
  }
}

async function ask(config: KafkaConfig, log: Logger): Promise<Position[]> {
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
