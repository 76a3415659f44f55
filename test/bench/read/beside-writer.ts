// `npm run bench:beside`: reads while a projector folds at full speed into the same database, next to reads beside a
// process that only uses as much of the processor; and how far the write-ahead log grows.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { viewFile } from "../../../shared/generation.ts";
import { openReader } from "../../../shared/sqlite.ts";
import { writeHistory } from "../../generate/write-history.ts";
import { until } from "../../harness/wait.ts";
import { table } from "../table.ts";
import { fillViews } from "./fill.ts";
import { type Load, load, requireWrk, warmUp } from "./load.ts";
import { startApi } from "./server-process.ts";

const SECONDS = 6;
const LEADS = 10_000;
const RECORDS = 1_000_000;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BUSY = "for (let x = 1; ; x = (x * 31 + 7) % 1000003);";

requireWrk();
const folder = mkdtempSync(join(tmpdir(), "bench-beside-"));
const children: ChildProcess[] = [];
try {
  const databaseDir = join(folder, "views");
  const eventLogDir = join(folder, "log");
  const { key } = fillViews(databaseDir, { leads: LEADS, bytes: 6_000, documents: 0 });
  writeHistory(eventLogDir, { leads: 1e9, seed: 1, partitions: 4, records: RECORDS });
  const { port } = await startApi(databaseDir);
  const target = { port, key, leads: LEADS };
  warmUp(target);
  const alone = load(target, SECONDS);
  const busy = start(["-e", BUSY]);
  const besideBusy = load(target, SECONDS);
  busy.kill("SIGKILL");
  start(["projector/main.ts"], { DATABASE_DIR: databaseDir, EVENT_LOG_DIR: eventLogDir, OPS_PORT: "0" });
  await until("the first commit", () => folded(databaseDir) > 0, 60_000);
  let wal = 0;
  const watching = setInterval(() => {
    wal = Math.max(wal, statSync(`${viewFile({ databaseDir })}-wal`).size);
  }, 50);
  const before = folded(databaseDir);
  // wrk is waited for by blocking: the write-ahead log is looked at between its runs.
  const besideWriter: Load[] = [];
  for (let second = 0; second < SECONDS; second++) {
    besideWriter.push(load(target, 1));
    await delay(60);
  }
  const rate = (folded(databaseDir) - before) / SECONDS;
  if (folded(databaseDir) >= RECORDS)
    throw new Error("the history was too short: the projector was done early");
  await until("all to be folded", () => folded(databaseDir) >= RECORDS, 300_000);
  await delay(2_000);
  clearInterval(watching);
  const walAtRest = statSync(`${viewFile({ databaseDir })}-wal`).size;
  const worst = besideWriter.reduce((sum, { p99Ms }) => Math.max(sum, p99Ms), 0);
  const mean = besideWriter.reduce((sum, { requestsPerS }) => sum + requestsPerS / besideWriter.length, 0);
  const p50 = Math.max(...besideWriter.map(({ p50Ms }) => p50Ms));
  table(
    ["reads", "requests/s", "p50 ms", "p99 ms"],
    [
      ["alone", String(Math.round(alone.requestsPerS)), alone.p50Ms.toFixed(2), alone.p99Ms.toFixed(2)],
      [
        "beside a busy process",
        String(Math.round(besideBusy.requestsPerS)),
        besideBusy.p50Ms.toFixed(2),
        besideBusy.p99Ms.toFixed(2),
      ],
      [
        `beside a projector, ${Math.round(rate)} events/s (the worst second)`,
        String(Math.round(mean)),
        p50.toFixed(2),
        worst.toFixed(2),
      ],
    ],
  );
  console.log(
    JSON.stringify({
      p99AloneMs: alone.p99Ms,
      p99BesideBusyMs: besideBusy.p99Ms,
      p99BesideWriterMs: worst,
      mostWalMiB: Math.round(wal / 2 ** 20),
      walAtRestMiB: Math.round(walAtRest / 2 ** 20),
    }),
  );
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

function start(args: string[], more: Record<string, string> = {}): ChildProcess {
  const env = { ...process.env, LOG_LEVEL: "error", ...more };
  const child = spawn(process.execPath, ["--no-warnings", ...args], { cwd: ROOT, env, stdio: "inherit" });
  children.push(child);
  return child;
}

function folded(databaseDir: string): number {
  const db = openReader(viewFile({ databaseDir }));
  const sum = db
    .prepare<[], number>("SELECT coalesce(sum(next_offset), 0) FROM position")
    .pluck()
    .get() as number;
  db.close();
  return sum;
}
