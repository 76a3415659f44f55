import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { percentile } from "./nodes.ts";

const AT_ONCE = 8;
const SECONDS = 8;

export interface ReadTimes {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Reads leads at random over a few kept connections; each read is timed. */
export async function timeReads(
  address: string,
  leads: readonly { readonly leadId: string; readonly key: string }[],
): Promise<ReadTimes> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1_000;
  const reader = async () => {
    while (performance.now() < end) {
      const { leadId, key } = leads[Math.floor(Math.random() * leads.length)] as (typeof leads)[number];
      const started = performance.now();
      const request = get(`${address}/api/v1/leads/${leadId}`, { agent, headers: { "x-api-key": key } });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      for await (const _ of response);
      if (response.statusCode !== 200) throw new Error(`${address} answered ${response.statusCode}`);
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  agent.destroy();
  // The first ones make connections and compile.
  const warm = times.slice(Math.floor(times.length / 10));
  return { perSecond: times.length / SECONDS, p50: percentile(warm, 0.5), p99: percentile(warm, 0.99) };
}
