// Reads the streams of many leads, and notes how old each change is when it comes.
import { setTimeout as delay } from "node:timers/promises";
import { openStream } from "../../harness/sse.ts";
import { until } from "../../harness/wait.ts";

const { BENCH_ADDRESS, BENCH_KEY, BENCH_LEADS } = process.env;
const leads = Number(BENCH_LEADS);
const streams: Awaited<ReturnType<typeof openStream>>[] = [];
const ages: number[] = [];
/** The time that each lead's latest change that came was written at. */
const latest = new Map<string, number>();

for (let lead = 0; lead < leads; lead++) {
  const url = `${BENCH_ADDRESS}/api/v1/leads/lead-${lead}/events`;
  const stream = await openStream(url, { "x-api-key": BENCH_KEY as string });
  let noted = 0;
  stream.response.on("data", () => {
    const now = performance.timeOrigin + performance.now();
    for (; noted < stream.events.length; noted++) {
      const { event, data } = stream.events[noted] as (typeof stream.events)[number];
      if (event !== "lead_view.changed") continue;
      const written = Number(data.view.lead.activitySummary);
      ages.push(now - written);
      latest.set(data.leadId, written);
    }
  });
  streams.push(stream);
}
await until("all to be ready", () => streams.every(({ events }) => events.length >= 1));
process.send?.("ready");
process.once("message", async ({ lastRound }: { readonly lastRound: number }) => {
  await delay(2_000);
  const missed = leads - [...latest.values()].filter((written) => written >= lastRound).length;
  ages.sort((a, b) => a - b);
  const at = (share: number) => ages[Math.floor(ages.length * share)] as number;
  process.send?.({ p50: at(0.5), p99: at(0.99), came: ages.length, missed });
});
