import { setTimeout as delay } from "node:timers/promises";
import type { Producer } from "kafkajs";
import type { Logger } from "../../shared/log.ts";

const LONGEST_WAIT_MS = 10_000;

export interface Relay<T> {
  readonly producer: Producer;
  /** What waits longest, in order; empty where nothing does. */
  readonly next: () => readonly T[];
  /** Publishes it, and notes that it is published. */
  readonly publish: (producer: Producer, batch: readonly T[]) => Promise<void>;
  /** How many wait, for whoever reads the log. */
  readonly waiting: () => number;
  readonly what: string;
  /** Milliseconds between two looks at what waits. */
  readonly lookMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Publishes what waits, again and again until the signal aborts; an outage of any length is waited out. */
export async function runRelay<T>({
  producer,
  next,
  publish,
  waiting,
  what,
  lookMs,
  log,
  signal,
}: Relay<T>): Promise<void> {
  let connected = false;
  for (let wait = lookMs; !signal.aborted; await delay(wait, undefined, { signal }).catch(() => undefined)) {
    try {
      for (let batch = next(); batch.length > 0 && !signal.aborted; batch = next()) {
        if (!connected) await producer.connect();
        connected = true;
        await publish(producer, batch);
      }
      wait = lookMs;
    } catch (error) {
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      const reason = (error as Error).message;
      log.warn(
        { error: reason, waiting: waiting(), retryInMs: wait },
        `${what} can't be published; trying again`,
      );
    }
  }
  await producer.disconnect().catch(() => undefined);
}
