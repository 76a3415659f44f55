import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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
  readonly acceptEncoding?: string;
  /** What stands before a lead's number in the address; absent = its read. */
  readonly before?: string;
  /** What stands behind it; absent = nothing. */
  readonly behind?: string;
}

const CONNECTIONS = 32;
const scripts = mkdtempSync(join(tmpdir(), "bench-load-"));
process.once("exit", () => rmSync(scripts, { recursive: true, force: true }));
/** More than enough to ask for a million leads once. */
const WARM_UP_S = 300;

/** Exits with what to do where wrk is not there. */
export function requireWrk(): void {
  try {
    execFileSync("wrk", ["-v"], { stdio: "ignore" });
  } catch (error) {
    // wrk's version is told with exit code 1.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return;
    console.error("wrk is needed: apt-get install wrk (and postgresql, for the comparison with it)");
    process.exit(1);
  }
}

/** Loads a server with wrk (Debian's package) for some seconds. @throws Error where an answer was no success */
export function load(target: Target, seconds: number): Load {
  const { leads, skewed = false, etag } = target;
  const index = skewed ? `math.floor(${leads} * math.random() ^ 4)` : `math.random(0, ${leads - 1})`;
  const output = wrk(target, `return ${etag === undefined ? index : 0}`, seconds);
  const { requests, us, p50, p99, bad } = JSON.parse(output.slice(output.lastIndexOf("{")));
  if (bad > 0) throw new Error(`${bad} of ${requests} requests to port ${target.port} failed`);
  return { requestsPerS: requests / (us / 1e6), p50Ms: p50 / 1_000, p99Ms: p99 / 1_000 };
}

/**
 * Asks for every lead once, so that what follows is measured as it is for all but a process's first seconds: bodies in
 * memory, URLs of the quarter of an hour signed, code compiled.
 */
export function warmUp(target: Target): void {
  // wrk knows no number of requests, only a time: its script ends it.
  const once = `if asked >= ${target.leads} then os.exit(0) end
    asked = asked + 1
    return asked - 1`;
  wrk(target, once, WARM_UP_S);
}

/** Runs wrk with a script that says which lead comes next; returns what it prints. */
function wrk(
  { port, key, etag, acceptEncoding, before = "/api/v1/leads/bench-lead-", behind = "" }: Target,
  lead: string,
  seconds: number,
): string {
  const script = join(scripts, "load.lua");
  const tag = etag === undefined ? "" : `, ["if-none-match"]='${etag}'`;
  const encoding = acceptEncoding === undefined ? "" : `, ["accept-encoding"]="${acceptEncoding}"`;
  writeFileSync(
    script,
    `local headers = {["x-api-key"]="${key}"${tag}${encoding}}
     local asked = 0
     local function lead() ${lead.replace(/\n\s*/g, "\n")} end
     request = function() return wrk.format("GET", "${before}" .. lead() .. "${behind}", headers) end
     done = function(summary, latency)
       print(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"bad":%d}', summary.requests, summary.duration,
         latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.read + summary.errors.timeout))
     end`,
  );
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script, `http://127.0.0.1:${port}`];
  return execFileSync("wrk", args, { encoding: "utf8" });
}

export function bestOf(loads: readonly Load[]): Load {
  return loads.reduce((best, one) => (one.requestsPerS > best.requestsPerS ? one : best));
}
