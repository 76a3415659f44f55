import type { ServerResponse } from "node:http";
import { after, every, type Timer } from "../../shared/clock.ts";
import type { Views } from "../views.ts";
import { type CatchUp, createCatchUp } from "./catch-up.ts";
import { endedFrame, keepAliveFrame, readyFrame } from "./frames.ts";
import { createLiveSubscribers } from "./live-subscribers.ts";
import { createStreamWriter, type WriterLimits } from "./stream-writer.ts";
import { createSubscriber, type Subscriber, type Subscription } from "./subscriber.ts";

// `@fastify/sse` was looked at (0.6.0): it writes one reply's events and heartbeats, and knows nothing of other streams.
// What it lacks here: one reading of the database for all streams, one frame for all that want it, a bound of memory over
// all of them, dropping who does not read, asking for the key again, a limit of streams, and an end at shutdown.

const LOOK_MS = 20;
const KEEP_ALIVE_MS = 15_000;
/** A revoked key reads no longer than this and the key store's own half second. */
const ASK_MS = 250;
/** Milliseconds in which the last event of a stream that we end can be taken. */
const LAST_WORD_MS = 1_000;

export type FeedLimits = WriterLimits;

const LIMITS: FeedLimits = { stallMs: 30_000, mostWaitingBytes: 64 * 1024 ** 2 };

/** The view's changes as Server-Sent Events. */
export interface ChangeFeed {
  subscribe(subscription: Subscription, response: ServerResponse): void;
  /** How many read along, and how many of them are catching up. */
  size(): number;
  catchingUp(): number;
  /** Bytes that wait for them. */
  waitingBytes(): number;
  /** Ends all streams; who comes later is ended at once. */
  close(): void;
}

/** One register of subscribers, and one reader of the outbox for all of them in this process (rule: nobody blocks another). */
export function createChangeFeed(views: Views, limits: Partial<FeedLimits> = {}): ChangeFeed {
  const register = new Set<Subscriber>();
  const timers: Timer[] = [];
  let closed = false;
  const writer = createStreamWriter({ ...LIMITS, ...limits });
  const live = createLiveSubscribers(views, writer, (subscriber) => void catchUp(subscriber));
  const catchUp: CatchUp = createCatchUp({
    views,
    writer,
    onLive: live.join,
    onStalled: (subscriber) =>
      end(subscriber, "the reader took nothing for too long; resume with Last-Event-ID"),
  });

  const gone = (subscriber: Subscriber): void => {
    subscriber.state = "gone";
    live.leave(subscriber);
    writer.forget(subscriber);
    if (register.delete(subscriber) && register.size === 0) stopTimers();
  };

  /** Ends a stream by our own will. What still waits may never be read: the connection is not kept for it. */
  const end = (subscriber: Subscriber, reason: string): void => {
    gone(subscriber);
    subscriber.response.end(endedFrame(reason));
    after(LAST_WORD_MS, () => subscriber.response.destroy()).unref();
  };
  const endStopping = (subscriber: Subscriber): void =>
    end(subscriber, "this process is stopping; resume with Last-Event-ID");

  const askAll = (): void => {
    for (const subscriber of [...register]) {
      if (!subscriber.isAllowed()) end(subscriber, "the key is not valid any more");
    }
  };

  const keepAlive = (): void => {
    for (const subscriber of register) {
      const seen = live.seen(subscriber);
      if (seen === undefined || writer.isBehind(subscriber)) continue;
      subscriber.cursor = Math.max(subscriber.cursor, seen.resume);
      subscriber.next = { behind: "mark", mark: seen.mark };
      writer.write(subscriber, keepAliveFrame(subscriber.cursor));
    }
  };

  const startTimers = (): void => {
    timers.push(every(LOOK_MS, live.look), every(ASK_MS, askAll), every(KEEP_ALIVE_MS, keepAlive));
  };
  const stopTimers = (): void => {
    for (const timer of timers.splice(0)) timer.stop();
  };

  return {
    subscribe(subscription, response) {
      const subscriber = createSubscriber(subscription, response, views.changes());
      if (register.size === 0) startTimers();
      register.add(subscriber);
      response.on("close", () => gone(subscriber));
      response.on("error", () => gone(subscriber));
      if (closed) {
        endStopping(subscriber);
        return;
      }
      writer.write(subscriber, readyFrame(subscriber.cursor));
      void catchUp(subscriber);
    },
    size: () => register.size,
    catchingUp: () => [...register].filter(({ state }) => state === "catching up").length,
    waitingBytes: writer.waitingBytes,
    close() {
      closed = true;
      for (const subscriber of [...register]) endStopping(subscriber);
      stopTimers();
    },
  };
}
