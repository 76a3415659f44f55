// `npm run bench:rebuild [-- --records N]`: how fast every view is made anew, by all cores and by one worker, next to only
// reading and parsing the same archive in one thread; how much memory that takes, and what it costs the API beside it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStore } from "../../projector/store/store.ts";
import { keysFile } from "../../shared/config.ts";
import { createReadiness } from "../../shared/control.ts";
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
const REST_MS = 10_000;
const folder = mkdtempSync(join(tmpdir(), "bench-rebuild-"));
const children: ChildProcess[] = [];

try {
  const single = await run(RECORDS, true);
  const thrice = await run(3 * RECORDS, false);
  table(
    ["what", "value"],
    [
      ["history", `${RECORDS} events, then ${3 * RECORDS}; ${availableParallelism()} cores`],
      ["read and JSON.parse only, one thread", `${Math.round(RECORDS / single.parseS)} events/s`],
      ["rebuild", `${Math.round(RECORDS / single.rebuildS)} events/s`],
      ["ratio (aim: 0.4 or more)", (single.parseS / single.rebuildS).toFixed(3)],
      ["ratio with one worker", (single.parseS / single.oneWorkerS).toFixed(3)],
      ["two cores to one (aim: 1.7)", (single.oneCoreS / single.twoCoresS).toFixed(2)],
      ["projector's peak memory", `${single.peakMiB} MiB, then ${thrice.peakMiB} MiB (aim: under 1024)`],
      ["projector at rest afterwards", `${thrice.restMiB} MiB (aim: under 300)`],
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
      oneWorker: round(single.parseS / single.oneWorkerS),
      twoToOneCores: round(single.oneCoreS / single.twoCoresS),
      peakRssMiB1M: single.peakMiB,
      peakRssMiB3M: thrice.peakMiB,
      restMiB3M: thrice.restMiB,
      apiP99Ratio: round(single.busyP99 / single.quietP99),
      failedRequests: single.failed,
    }),
  );
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

/** @param isWhole false where only the memory is measured */
async function run(records: number, isWhole: boolean) {
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
  const start = (script: string, args: string[] = [], { cores = "", more = {} } = {}) => {
    const command = [process.execPath, "--no-warnings", script, ...args];
    const [program = "", ...words] = cores === "" ? command : ["taskset", "-c", cores, ...command];
    const child = spawn(program, words, { env: { ...env, ...more }, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const seconds = async (child: ChildProcess) => {
    const begun = performance.now();
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`the rebuild ended with ${code}`);
    return (performance.now() - begun) / 1_000;
  };
  const stop = async (child: ChildProcess) => {
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  // Where no projector runs, the command itself makes the views.
  mkdirSync(databaseDir);
  await seconds(start(LEAD_VIEW, ["rebuild"]));
  const alone = (cores: string) => seconds(start(LEAD_VIEW, ["rebuild"], { cores }));
  const twoCoresS = isWhole ? await alone("0,1") : 0;
  const oneCoreS = isWhole ? await alone("0") : 0;

  const projecting = async (more: Record<string, string>) => {
    const projector = start("projector/main.ts", [], { more });
    const control = createReadiness(databaseDir);
    await until("the projector", () => control.reason() === undefined, 60_000).finally(control.close);
    return projector;
  };
  const projector = await projecting({});
  const api = isWhole ? await startApi(start, databaseDir, port) : undefined;
  const quiet = api ? await api.p99For(QUIET_MS) : { p99: 0, failed: 0 };
  const memory = watchMemory(projector);
  const rebuilder = start(LEAD_VIEW, ["rebuild"]);
  const rebuilt = seconds(rebuilder);
  const busy = api ? await api.p99Until(once(rebuilder, "exit")) : { p99: 0, failed: 0 };
  const rebuildS = await rebuilt;
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const restMiB = memory.now();
  await stop(projector);
  if (api) await stop(api.child);
  let oneWorkerS = 0;
  if (isWhole) {
    const one = await projecting({ FOLD_WORKERS: "1" });
    oneWorkerS = await seconds(start(LEAD_VIEW, ["rebuild"]));
    await stop(one);
  }
  for (const path of [log, databaseDir]) rmSync(path, { recursive: true });
  return {
    parseS,
    rebuildS,
    oneWorkerS,
    oneCoreS,
    twoCoresS,
    peakMiB: memory.peak(),
    restMiB,
    quietP99: quiet.p99,
    busyP99: busy.p99,
    failed: quiet.failed + busy.failed,
  };
}

/** The most anonymous memory that a process had: file pages that it maps are the system's to take back. */
function watchMemory(child: ChildProcess): { readonly peak: () => number; readonly now: () => number } {
  let peak = 0;
  let now = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      now = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
      peak = Math.max(peak, now);
    } catch {
      clearInterval(timer);
    }
  }, 50);
  child.once("exit", () => clearInterval(timer));
  return { peak: () => Math.round(peak / 1_024), now: () => Math.round(now / 1_024) };
}

async function startApi(start: (script: string) => ChildProcess, databaseDir: string, port: number) {
  const store = openStore(viewFile({ databaseDir }));
  const ids = store.db
    .prepare<[], string>(
      "SELECT lead_id FROM lead_view WHERE workspace_id = 'ws-1' AND body IS NOT NULL LIMIT 2000",
    )
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
