import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Load {
  readonly requestsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Target {
  readonly port: number;
  readonly key: string;
  readonly leads: number;
  /** Most requests go to few leads, as in life; false = all alike. */
  readonly skewed?: boolean;
  /** Sends the lead's tag, so that the answer is 304. */
  readonly etag?: string;
}

const CONNECTIONS = 32;

/** Loads a server with wrk (Debian's package) for some seconds. @throws Error where an answer was no success */
export function load(
  folder: string,
  { port, key, leads, skewed = false, etag }: Target,
  seconds: number,
): Load {
  const script = join(folder, "load.lua");
  const index = skewed ? `math.floor(${leads} * math.random() ^ 4)` : `math.random(0, ${leads - 1})`;
  const tag = etag === undefined ? "" : `, ["if-none-match"]='${etag}'`;
  const id = etag === undefined ? index : "0";
  writeFileSync(
    script,
    `local headers = {["x-api-key"]="${key}"${tag}}
     request = function() return wrk.format("GET", "/api/v1/leads/bench-lead-" .. ${id}, headers) end
     done = function(summary, latency)
       print(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"bad":%d}', summary.requests, summary.duration,
         latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.read + summary.errors.timeout))
     end`,
  );
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script, `http://127.0.0.1:${port}`];
  const output = execFileSync("wrk", args, { encoding: "utf8" });
  const { requests, us, p50, p99, bad } = JSON.parse(output.slice(output.lastIndexOf("{")));
  if (bad > 0) throw new Error(`${bad} of ${requests} requests to port ${port} failed`);
  return { requestsPerS: requests / (us / 1e6), p50Ms: p50 / 1_000, p99Ms: p99 / 1_000 };
}
