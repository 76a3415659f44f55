import type { ServerResponse } from "node:http";
import { after, delay, monotonic } from "../../shared/clock.ts";
import type { Subscriber } from "./subscriber.ts";

/** Milliseconds between two looks whether others have taken what fills the memory. */
const LOOK_MS = 20;

export interface WriterLimits {
  /** Milliseconds that a reader may take nothing of what waits for it. */
  readonly stallMs: number;
  /** Bytes that may wait for all readers together; with more, nobody is read for until some are taken. */
  readonly mostWaitingBytes: number;
}

/** Writes into the streams, and knows what their readers have not taken: memory stays bounded, whoever does not read. */
export interface StreamWriter {
  write(subscriber: Subscriber, frame: Buffer | string): void;
  /** True while something waits for the subscriber. */
  isBehind(subscriber: Subscriber): boolean;
  /** True where so many bytes more may wait. */
  hasRoom(bytes: number): boolean;
  /** Waits until nothing waits for the subscriber and there is room; "stalled" where it took nothing for too long. */
  untilReady(subscriber: Subscriber): Promise<"ready" | "gone" | "stalled">;
  /** Forgets a subscriber that is gone. */
  forget(subscriber: Subscriber): void;
  /** Bytes that wait for all readers. */
  waitingBytes(): number;
}

export function createStreamWriter({ stallMs, mostWaitingBytes }: WriterLimits): StreamWriter {
  /** Those whose last write still waits, at least in part. */
  const undrained = new Set<Subscriber>();
  const waitingBytes = (): number => {
    let bytes = 0;
    for (const { response } of undrained) bytes += response.writableLength;
    return bytes;
  };
  return {
    write(subscriber, frame) {
      const { response } = subscriber;
      if (response.write(frame) || undrained.has(subscriber)) return;
      undrained.add(subscriber);
      response.once("drain", () => undrained.delete(subscriber));
    },
    isBehind: (subscriber) => undrained.has(subscriber),
    hasRoom: (bytes) => waitingBytes() + bytes <= mostWaitingBytes,
    async untilReady(subscriber) {
      const { response } = subscriber;
      for (const deadline = monotonic() + stallMs; subscriber.state !== "gone"; ) {
        const full = undrained.has(subscriber);
        if (!full && (undrained.size === 0 || waitingBytes() < mostWaitingBytes)) return "ready";
        // One that waits for room has done nothing wrong.
        if (full && monotonic() > deadline) return "stalled";
        if (full) await drained(response, Math.min(stallMs, 1_000));
        else await delay(LOOK_MS);
      }
      return "gone";
    },
    forget: (subscriber) => void undrained.delete(subscriber),
    waitingBytes,
  };
}

/** Waits until what waits was taken, or so many milliseconds. */
const drained = (response: ServerResponse, mostMs: number): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      timer.stop();
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    const timer = after(mostMs, done);
    response.once("drain", done);
    response.once("close", done);
  });
