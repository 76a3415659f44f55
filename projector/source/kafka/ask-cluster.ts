import type { Admin } from "kafkajs";
import { delay } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Logger } from "../../../shared/log.ts";
import { createKafka, requirePassing } from "./client.ts";

const RETRY_MS = 1_000;

export interface Asking {
  readonly log: Logger;
  /** Absent = it is waited for however long it takes. */
  readonly signal?: AbortSignal | undefined;
  /** Told why the broker can't be asked. */
  readonly onTrouble?: (reason: string) => void;
}

/**
 * Asks the cluster something; a broker that can't be reached is waited for.
 * @returns undefined where the signal aborts first
 * @throws Error as the question does, and SourceError where waiting can't help
 */
export async function askCluster<T>(
  config: KafkaConfig,
  question: (admin: Admin) => Promise<T>,
  { log, signal, onTrouble }: Asking,
): Promise<T | undefined> {
  const admin = createKafka(config, log).admin();
  try {
    while (!signal?.aborted) {
      try {
        await admin.connect();
        return await question(admin);
      } catch (error) {
        requirePassing(error);
        const { message } = error as Error;
        onTrouble?.(`Kafka can't be read: ${message}`);
        log.warn({ error: message, retryInMs: RETRY_MS }, "Kafka can't be read; trying again");
        await delay(RETRY_MS, signal);
      }
    }
    return undefined;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
