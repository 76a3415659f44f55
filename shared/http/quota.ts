import { LRUCache } from "lru-cache";
import { wallClock } from "../clock.ts";

export const MINUTE_MS = 60_000;
const MOST_NAMES = 100_000;

/** What was given of a quota, and what is left of it. */
export interface Grant {
  /** How many of those asked for are given; 0 = the quota is used up. */
  readonly granted: number;
  /** How many more the minute has. */
  readonly left: number;
  /** When the next minute begins, by `wallClock()`. */
  readonly endsAt: number;
}

/** Counts uses a minute, by name; a name's minute begins with its first use. */
export interface Quota {
  /** @param wanted how many uses; fewer may be granted */
  take(name: string, wanted: number): Grant;
}

/** @param perMinute uses that a name has in a minute */
export function createQuota(perMinute: number, now: () => number = wallClock): Quota {
  const used = new LRUCache<string, { count: number; endsAt: number }>({ max: MOST_NAMES });
  return {
    take(name, wanted) {
      let minute = used.get(name);
      if (minute === undefined || minute.endsAt <= now()) {
        minute = { count: 0, endsAt: now() + MINUTE_MS };
        used.set(name, minute);
      }
      const granted = Math.min(wanted, perMinute - minute.count);
      minute.count += granted;
      return { granted, left: perMinute - minute.count, endsAt: minute.endsAt };
    },
  };
}

/** One use of a quota, allowed or not. */
export interface Use {
  readonly allowed: boolean;
  /** Uses that are left in the minute. */
  readonly left: number;
  /** When the next minute begins, by `wallClock()`. */
  readonly endsAt: number;
}

/** Uses a name's quota once: at once, or where it is to be asked for, soon. */
export type UseQuota = (name: string) => Use | Promise<Use>;

/** Uses a quota that only this process counts. */
export const useAlone =
  (quota: Quota): UseQuota =>
  (name) => {
    const { granted, left, endsAt } = quota.take(name, 1);
    return { allowed: granted > 0, left, endsAt };
  };
