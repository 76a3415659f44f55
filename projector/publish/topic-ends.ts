import { delay, monotonic } from "../../shared/clock.ts";
import type { Store } from "../store/store.ts";

/** Milliseconds between two notes in the database. */
const NOTE_MS = 1_000;
/** Milliseconds after which a topic that ends too early is asked again: a broker that just became its leader says less at first. */
const ASK_AGAIN_MS = 1_000;

/** The offset behind the last record, by partition. */
type Ends = ReadonlyMap<number, number>;

/**
 * The offset behind what a topic has of a relay's rows, by partition. It is kept in the database, so that a topic that ends
 * before it is known to be another one, or to have lost records.
 */
export interface TopicEnds {
  /** Undefined before the broker was asked. */
  offsets(): ReadonlyMap<number, number> | undefined;
  /** The broker acknowledged records of a partition up to this offset. */
  acknowledged(partition: number, end: number): void;
  /**
   * Compares with where the topic ends by the broker's word.
   * @param ask asks the broker; what it acknowledges meanwhile is not compared
   * @returns false where it has less than it had: all is to be passed on again, which the database remembers
   */
  check(ask: () => Promise<Ends>, signal: AbortSignal): Promise<boolean>;
  /** True once after a check that found less. */
  takeBeginsAgain(): boolean;
}

export function createTopicEnds({ relays, transaction }: Store, relay: string): TopicEnds {
  const prefix = `${relay}/end/`;
  const again = `${relay}/again`;
  let offsets = new Map([...relays.beginning(prefix)].map(([name, end]) => [Number(name), end]));
  let wasAsked = false;
  let notedAt = Number.NEGATIVE_INFINITY;
  let beginsAgain = relays.position(again) > 0;

  const save = (ends: Ends) => {
    for (const [partition, end] of ends) relays.advance(`${prefix}${partition}`, end);
  };

  return {
    offsets: () => (wasAsked ? offsets : undefined),
    acknowledged(partition, end) {
      offsets.set(partition, Math.max(end, offsets.get(partition) ?? 0));
    },
    async check(ask, signal) {
      let known = new Map(offsets);
      let ends = await ask();
      if (hasLess(ends, known)) {
        await delay(ASK_AGAIN_MS, signal);
        if (signal.aborted) return true;
        known = new Map(offsets);
        ends = await ask();
      }
      wasAsked = true;
      if (hasLess(ends, known)) {
        offsets = new Map(ends);
        transaction(() => {
          for (const name of relays.beginning(prefix).keys()) relays.remove(`${prefix}${name}`);
          save(ends);
          relays.advance(again, 1);
        });
        beginsAgain = true;
        return false;
      }
      for (const [partition, end] of ends) this.acknowledged(partition, end);
      // What is noted may be a moment old: it is only ever too little.
      if (monotonic() - notedAt > NOTE_MS) {
        notedAt = monotonic();
        const noted = relays.beginning(prefix);
        if ([...offsets].some(([partition, end]) => noted.get(String(partition)) !== end))
          transaction(() => save(offsets));
      }
      return true;
    },
    takeBeginsAgain() {
      if (!beginsAgain) return false;
      transaction(() => {
        relays.advance(relay, 0);
        relays.remove(again);
      });
      beginsAgain = false;
      return true;
    },
  };
}

const hasLess = (ends: Ends, known: Ends): boolean =>
  [...known].some(([partition, end]) => (ends.get(partition) ?? 0) < end);
