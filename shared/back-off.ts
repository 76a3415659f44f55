import { delay } from "./clock.ts";

/** The waits between one try and the next: each is twice as long as the one before, up to the longest. */
export interface BackOff {
  /** Milliseconds of the next wait. */
  nextMs(): number;
  /** Waits for so long, or until the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** It went well: the next wait is the first one again. */
  reset(): void;
}

export function createBackOff(firstMs: number, longestMs: number): BackOff {
  let next = firstMs;
  return {
    nextMs: () => next,
    async wait(signal) {
      const milliseconds = next;
      next = Math.min(2 * next, longestMs);
      await delay(milliseconds, signal);
    },
    reset() {
      next = firstMs;
    },
  };
}
