import { createRequire } from "node:module";

/**
 * Keeps kafkajs 2.2.4 from asking for timers that lie in the past. After each answer its request queue schedules a look at
 * what a throttled broker made wait, for `throttledUntil - Date.now()` milliseconds; without throttling that is -1 - now,
 * which Node 24 warns of (TimeoutNegativeWarning) and turns into a timer of 1 ms that finds nothing and begins anew. With
 * nothing waiting there is nothing to look at: what is pushed later schedules its own look.
 */
export function scheduleOnlyWhatWaits(): void {
  const { prototype } = createRequire(import.meta.url)("kafkajs/src/network/requestQueue/index.js") as {
    readonly prototype: Queue;
  };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: Queue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

interface Queue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(this: Queue): void;
}
