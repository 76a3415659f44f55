// `npm run bench:subscribe`: 1,000 subscribers of Server-Sent Events on one API process, 1,000 changes a second.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createDecoder } from "../../projector/decode/decode.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { openStore } from "../../projector/store/store.ts";
import { keysFile } from "../../shared/config.ts";
import { viewFile } from "../../shared/generation.ts";
import { createKey, openKeys } from "../../shared/keys.ts";
import { freePort } from "../harness/free-port.ts";
import { openStream } from "../harness/sse.ts";
import { until } from "../harness/wait.ts";
import { table } from "./table.ts";

const SUBSCRIBERS = 1_000;
const CHANGES_PER_S = 1_000;
const TICK_MS = 20;
const SECONDS = 15;
const databaseDir = mkdtempSync(join(tmpdir(), "bench-subscribe-"));
const store = openStore(viewFile({ databaseDir }));
const projection = createProjection(
  store,
  createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined }),
);
let offset = 0;
let api: ChildProcess | undefined;

try {
  for (let lead = 0; lead < SUBSCRIBERS; lead++) fold(lead, "lead.created", { firstName: "María" });
  projection.commit();
  const keys = openKeys(keysFile({ databaseDir }));
  const key = createKey(keys, "ws", "bench");
  keys.close();
  const port = await freePort();
  const env = {
    ...process.env,
    DATABASE_DIR: databaseDir,
    PORT: String(port),
    API_WORKERS: "1",
    LOG_LEVEL: "error",
  };
  api = spawn(process.execPath, ["--no-warnings", "api/main.ts"], { env, stdio: "inherit" });
  const address = `http://127.0.0.1:${port}`;
  await until("the API", () =>
    fetch(`${address}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  const before = memoryKiB(api);
  const streams: Awaited<ReturnType<typeof openStream>>[] = [];
  for (let lead = 0; lead < SUBSCRIBERS; lead++) {
    streams.push(await openStream(`${address}/api/v1/leads/lead-${lead}/events`, { "x-api-key": key }));
  }
  await until("all to be ready", () => streams.every(({ events }) => events.length === 1));
  const kib = (memoryKiB(api) - before) / SUBSCRIBERS;

  // The time of a change stands in the change; each stream's events are timed as they come.
  const times: number[] = [];
  for (const stream of streams) {
    stream.response.on("data", () => {
      const change = stream.events.at(-1);
      const told = Number(change?.data.view?.lead.activitySummary);
      if (told > 0) times.push(performance.now() - told);
    });
  }
  let told = 0;
  for (let next = performance.now(); told < SECONDS * CHANGES_PER_S; next += TICK_MS) {
    for (let n = 0; n < (CHANGES_PER_S * TICK_MS) / 1_000; n++) {
      fold(told++ % SUBSCRIBERS, "lead.updated", { activitySummary: String(performance.now()) });
    }
    projection.commit();
    await delay(Math.max(0, next + TICK_MS - performance.now()));
  }
  await delay(1_000);
  const missed = told - streams.reduce((sum, stream) => sum + stream.changes().length, 0);
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] as number;
  table(
    ["what", "value"],
    [
      ["subscribers, changes", `${SUBSCRIBERS}, ${told} at ${CHANGES_PER_S} a second`],
      [
        "delivery p50 and p99, from before the fold",
        `${times[times.length >> 1]?.toFixed(1)} ms, ${p99.toFixed(1)} ms`,
      ],
      ["memory per subscriber", `${kib.toFixed(1)} KiB`],
      ["missed", String(missed)],
    ],
  );
  const round = (value: number) => Math.round(value * 10) / 10;
  console.log(JSON.stringify({ deliveryP99Ms: round(p99), kibPerSubscriber: round(kib), missed }));
} finally {
  api?.kill("SIGKILL");
  store.close();
  rmSync(databaseDir, { recursive: true, force: true });
}
process.exit();

function fold(lead: number, event: string, data: Record<string, unknown>): void {
  const leadId = `lead-${lead}`;
  const envelope = {
    id: `e-${offset}`,
    event,
    occurredAt: "2026-03-01T00:00:00.000Z",
    workspaceId: "ws",
    leadId,
    data,
  };
  const value = Buffer.from(JSON.stringify(envelope));
  projection.fold({
    topic: "omni.lead",
    partition: 0,
    offset,
    key: Buffer.from(leadId),
    timestamp: 0,
    headers: {},
    value,
  });
  offset++;
  projection.advance([{ topic: "omni.lead", partition: 0, nextOffset: offset, last: null, cursor: null }]);
}

function memoryKiB(child: ChildProcess): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
}
