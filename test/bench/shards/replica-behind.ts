import { setTimeout as delay } from "node:timers/promises";
import { openStream, type StreamEvent } from "../../harness/sse.ts";
import { until } from "../../harness/wait.ts";
import { percentile } from "./nodes.ts";

const RATE = 1_000;
const TICK_MS = 10;
const SECONDS = 10;
/** Seconds at the same rate before any change counts: connections are made and programs compiled, as in `reads.ts`. */
const WARM_UP_SECONDS = 3;

/**
 * Writes at a steady rate, and compares when each change is told by the owner's stream and by the replica's.
 * @param say produces so many changes of leads of the key's workspace
 * @returns milliseconds that the replica was behind the owner, of all changes that both told once it is warm
 */
export async function replicaBehind(
  owner: string,
  replica: string,
  key: string,
  say: (changes: number) => Promise<void>,
): Promise<{ readonly p50: number; readonly p99: number; readonly changes: number }> {
  const path = "/api/v1/lead-views/events";
  const [first, second] = await Promise.all(
    [owner, replica].map((address) => follow(`${address}${path}`, key)),
  );
  if (!first || !second) throw new Error("two streams were asked for");
  const sending: Promise<void>[] = [];
  const counted = performance.now() + WARM_UP_SECONDS * 1_000;
  const end = counted + SECONDS * 1_000;
  for (let next = performance.now(); next < end; next += TICK_MS) {
    sending.push(say((RATE * TICK_MS) / 1_000));
    await delay(Math.max(0, next + TICK_MS - performance.now()));
  }
  await Promise.all(sending);
  const last = () => Math.max(0, ...first.told.keys());
  await until("the replica to have told all", () => second.told.has(last()), 60_000);
  first.close();
  second.close();
  const behind = [...second.told].flatMap(([number, at]) => {
    const then = first.told.get(number);
    return then === undefined || then < counted ? [] : [Math.max(0, at - then)];
  });
  return { p50: percentile(behind, 0.5), p99: percentile(behind, 0.99), changes: behind.length };
}

/** When each change was told, by its number. */
async function follow(url: string, key: string) {
  const stream = await openStream(url, { "x-api-key": key });
  const told = new Map<number, number>();
  stream.response.on("data", () => {
    const at = performance.now();
    for (const { event, data } of stream.events.splice(0) as StreamEvent[])
      if (event === "lead_view.changed" && !told.has(data.version)) told.set(data.version, at);
  });
  return { told, close: stream.kill };
}
