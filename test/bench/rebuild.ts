// `npm run bench:rebuild [-- --records N]`: how fast every view is made anew, next to only reading and parsing the same
// archive; how much memory that takes, and what it costs the API beside it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStore } from "../../projector/store/store.ts";
import { keysFile } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import { createKey, openKeys } from "../../shared/keys.ts";
import { writeHistory } from "../generate/write-history.ts";
import { LEAD_VIEW } from "../harness/command.ts";
import { freePort } from "../harness/free-port.ts";
import { until } from "../harness/wait.ts";
import { parseOnlySeconds } from "./parse-only.ts";
import { table } from "./table.ts";

const { values } = parseArgs({ options: { records: { type: "string", default: "1000000" } } });
const RECORDS = Number(values.records);
const QUIET_MS = 5_000;
const folder = mkdtempSync(join(tmpdir(), "bench-rebuild-"));
const children: ChildProcess[] = [];

try {
  const single = await run(RECORDS, true);
  const thrice = await run(3 * RECORDS, false);
  table(
    ["what", "value"],
    [
      ["history", `${RECORDS} events, then ${3 * RECORDS}`],
      ["read and JSON.parse only", `${Math.round(RECORDS / single.parseS)} events/s`],
      ["rebuild", `${Math.round(RECORDS / single.rebuildS)} events/s`],
      ["ratio (aim: 0.35 or more)", (single.parseS / single.rebuildS).toFixed(3)],
      ["peak memory", `${single.peakMiB} MiB, then ${thrice.peakMiB} MiB (aim: under 1024, and flat)`],
      [
        "API p99 without and with a rebuild",
        `${single.quietP99.toFixed(2)} ms, ${single.busyP99.toFixed(2)} ms (aim: at most twice)`,
      ],
      ["failed requests", String(single.failed)],
    ],
  );
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  console.log(
    JSON.stringify({
      rebuildRatio: round(single.parseS / single.rebuildS),
      peakRssMiB1M: single.peakMiB,
      peakRssMiB3M: thrice.peakMiB,
      apiP99Ratio: round(single.busyP99 / single.quietP99),
      failedRequests: single.failed,
    }),
  );
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

async function run(records: number, withApi: boolean) {
  const log = join(folder, "log");
  const databaseDir = join(folder, "views");
  const history = writeHistory(log, { leads: 1e9, seed: 1, partitions: 4, records });
  const parseS = parseOnlySeconds(history.files);
  const port = await freePort();
  const env = {
    ...process.env,
    EVENT_LOG_DIR: log,
    DATABASE_DIR: databaseDir,
    LOG_LEVEL: "error",
    PORT: String(port),
    API_WORKERS: "1",
  };
  const start = (script: string, args: string[] = []) => {
    const child = spawn(process.execPath, ["--no-warnings", script, ...args], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    return child;
  };
  const projector = start("projector/main.ts");
  const folded = () => {
    const store = openStore(viewFile({ databaseDir }));
    const count = store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
    store.close();
    return count;
  };
  await until(
    "the first fold",
    async () => existsSync(viewFile({ databaseDir })) && folded() === records,
    900_000,
  );
  const api = withApi ? await startApi(start, databaseDir, port) : undefined;
  const quiet = api ? await api.p99For(QUIET_MS) : { p99: 0, failed: 0 };
  const begun = performance.now();
  const rebuilder = start(LEAD_VIEW, ["rebuild"]);
  const peak = watchMemory(rebuilder);
  const ended = once(rebuilder, "exit");
  const busy = api ? await api.p99Until(ended) : { p99: 0, failed: 0 };
  const [code] = await ended;
  const rebuildS = (performance.now() - begun) / 1_000;
  if (code !== 0) throw new Error(`the rebuild ended with ${code}`);
  for (const child of [projector, ...(api ? [api.child] : [])]) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  for (const path of [log, databaseDir]) rmSync(path, { recursive: true });
  return {
    parseS,
    rebuildS,
    peakMiB: peak(),
    quietP99: quiet.p99,
    busyP99: busy.p99,
    failed: quiet.failed + busy.failed,
  };
}

/** The most anonymous memory that a process had: file pages that it maps are the system's to take back. */
function watchMemory(child: ChildProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      clearInterval(timer);
    }
  }, 50);
  child.once("exit", () => clearInterval(timer));
  return () => Math.round(peak / 1_024);
}

async function startApi(start: (script: string) => ChildProcess, databaseDir: string, port: number) {
  const store = openStore(viewFile({ databaseDir }));
  const ids = store.db
    .prepare<[], string>("SELECT lead_id FROM lead_view WHERE workspace_id = 'ws-1' LIMIT 2000")
    .pluck()
    .all();
  store.close();
  const keys = openKeys(keysFile({ databaseDir }));
  const key = createKey(keys, "ws-1", "bench");
  keys.close();
  const child = start("api/main.ts");
  const agent = new Agent({ keepAlive: true });
  const read = async (leadId: string) => {
    const request = get(`http://127.0.0.1:${port}/api/v1/leads/${leadId}`, {
      agent,
      headers: { "x-api-key": key },
    });
    const [response] = await once(request, "response");
    response.resume();
    await once(response, "end");
    return response.statusCode as number;
  };
  await until("the API", () =>
    read(ids[0] as string).then(
      (status) => status === 200,
      () => false,
    ),
  );
  const measure = async (going: () => boolean) => {
    const times: number[] = [];
    let failed = 0;
    for (let n = 0; going(); n++) {
      const begun = performance.now();
      const status = await read(ids[(n * 31) % ids.length] as string).catch(() => 0);
      if (status !== 200) failed++;
      times.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    times.sort((a, b) => a - b);
    return { p99: times[Math.floor(times.length * 0.99)] ?? 0, failed };
  };
  return {
    child,
    p99For: (ms: number) => {
      const end = performance.now() + ms;
      return measure(() => performance.now() < end);
    },
    p99Until: (ended: Promise<unknown>) => {
      let going = true;
      void ended.then(() => {
        going = false;
      });
      return measure(() => going);
    },
  };
}
