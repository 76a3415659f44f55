// `npm run bench:subscribe`: 1,000 subscribers of Server-Sent Events at 1,000 changes a second, and 10,000 views of 12 KB
// that change at once on their way to the topic. Generator, projector, API, readers and relay are processes of their own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keysFile } from "../../../shared/config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { startHostBroker } from "../../harness/broker/host-broker.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { freePort } from "../../harness/free-port.ts";
import { until } from "../../harness/wait.ts";
import { table } from "../table.ts";

const SUBSCRIBERS = 1_000;
const CHANGES_PER_S = 1_000;
const SECONDS = 15;
const VIEWS = 10_000;
const VIEW_BYTES = 12_000;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const children: ChildProcess[] = [];

const delivery = await deliver();
const topic = await catchUp();
const round = (value: number) => Math.round(value * 10) / 10;
table(
  ["what", "value"],
  [
    ["subscribers, changes", `${SUBSCRIBERS}, ${delivery.told} at ${CHANGES_PER_S} a second`],
    ["delivery p50, from the event's writing", `${delivery.p50.toFixed(1)} ms`],
    ["delivery p99", `${delivery.p99.toFixed(1)} ms`],
    ["memory per subscriber", `${delivery.kib.toFixed(1)} KiB`],
    ["changes that came", `${delivery.came}; the others were passed by their lead's next one`],
    ["subscribers without the latest view", String(delivery.missed)],
    [`${VIEWS} views of ${VIEW_BYTES} bytes to the topic`, `${topic.seconds.toFixed(1)} s`],
    ["of them missing", String(topic.missing)],
  ],
);
console.log(
  JSON.stringify({
    deliveryP50Ms: round(delivery.p50),
    deliveryP99Ms: round(delivery.p99),
    kibPerSubscriber: round(delivery.kib),
    missed: delivery.missed,
    topicCatchUpS: round(topic.seconds),
    topicMissing: topic.missing,
  }),
);
process.exit();

/** One of our programs, or a part of this benchmark, which tells its results to us. */
function run(file: string, env: Record<string, string>, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ["--no-warnings", file, ...args], {
    cwd: ROOT,
    env: { ...process.env, LOG_LEVEL: "error", OPS_PORT: "0", ...env },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.push(child);
  return child;
}

async function message<T>(child: ChildProcess): Promise<T> {
  return (await once(child, "message"))[0] as T;
}

function endAll(): void {
  for (const child of children.splice(0)) child.kill("SIGKILL");
}

async function deliver() {
  const folder = mkdtempSync(join(tmpdir(), "bench-subscribe-"));
  try {
    const keys = openKeys(keysFile({ databaseDir: folder }));
    const key = createKey(keys, "ws", "bench");
    keys.close();
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    const env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, PORT: String(port), API_WORKERS: "1" };
    const load = {
      BENCH_FOLDER: folder,
      BENCH_LEADS: String(SUBSCRIBERS),
      BENCH_PER_S: String(CHANGES_PER_S),
      BENCH_SECONDS: String(SECONDS),
      BENCH_ADDRESS: address,
      BENCH_KEY: key,
    };
    const generator = run("test/bench/subscribe/generator.ts", load);
    await message(generator);
    run("projector/main.ts", env);
    const api = run("api/main.ts", env);
    const lastLead = `${address}/api/v1/leads/lead-${SUBSCRIBERS - 1}`;
    const answers = () => fetch(lastLead, { headers: { "x-api-key": key } }).catch(() => undefined);
    await until("the first views", async () => (await answers())?.ok, 60_000);
    const before = memoryKiB(api);
    const readers = run("test/bench/subscribe/readers.ts", load);
    await message(readers);
    const kib = (memoryKiB(api) - before) / SUBSCRIBERS;
    generator.send("start");
    const written = await message<{ told: number; lastRound: number }>(generator);
    readers.send(written);
    const result = await message<{ p50: number; p99: number; came: number; missed: number }>(readers);
    return { ...result, told: written.told, kib };
  } finally {
    endAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function catchUp() {
  const broker = await startHostBroker();
  const folder = mkdtempSync(join(tmpdir(), "bench-topic-"));
  try {
    const env = { KAFKA_BROKERS: broker.brokers, DATABASE_DIR: folder };
    const topics = run(LEAD_VIEW, env, "topics");
    await once(topics, "exit");
    const relay = run("test/bench/subscribe/relay.ts", {
      ...env,
      BENCH_VIEWS: String(VIEWS),
      BENCH_BYTES: String(VIEW_BYTES),
    });
    return await message<{ seconds: number; missing: number }>(relay);
  } finally {
    endAll();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function memoryKiB({ pid }: ChildProcess): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
