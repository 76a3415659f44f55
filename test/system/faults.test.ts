// What happens when the machine fails the projector: it says so, loses nothing, and goes on.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLag } from "../../projector/ops/lag.ts";
import { deliverWebhooks } from "../../projector/publish/webhooks/deliver.ts";
import { openEndpoints, relayOf } from "../../projector/publish/webhooks/endpoints.ts";
import { settleHere } from "../../projector/publish/webhooks/home.ts";
import { viewFile } from "../../shared/generation.ts";
import { createLog } from "../../shared/log.ts";
import { openReader, openWriter } from "../../shared/sqlite.ts";
import { openEventLog } from "../harness/event-log.ts";
import { createSpeaker } from "../harness/events.ts";
import { freePort } from "../harness/free-port.ts";
import { startProgram } from "../harness/process.ts";
import { openProjector } from "../harness/projector.ts";
import { until } from "../harness/wait.ts";

let folder: string;
let log: ReturnType<typeof openEventLog>;
let projector: ReturnType<typeof startProgram> | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "faults-"));
  mkdirSync(join(folder, "omni.lead"));
  log = openEventLog(folder);
});
afterEach(async () => {
  await projector?.stop("SIGKILL");
  projector = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function nameInView(): string | undefined {
  // The projector may still be making its database.
  if (!existsSync(viewFile({ databaseDir: folder }))) return undefined;
  const db = openReader(viewFile({ databaseDir: folder }));
  try {
    const body = db.prepare<[], Buffer>("SELECT body FROM lead_view").pluck().get();
    return body && JSON.parse(body.toString("utf8")).lead.firstName;
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

test("a database that another process has locked is waited for: said, not ready, and nothing lost", async () => {
  projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder, DATABASE_DIR: folder });
  const address = await projector.opsAddress();
  await projector.said("projector started");
  log.say({ event: "lead.created", data: { firstName: "Before" } });
  await until("the view", () => nameInView() === "Before");
  const other = openWriter(viewFile({ databaseDir: folder }));
  other.exec("BEGIN IMMEDIATE");
  log.say({ event: "lead.updated", data: { firstName: "After" } });
  const line = await projector.said(/view database can't be used/);
  expect(line).toMatchObject({
    code: "SQLITE_BUSY",
    msg: expect.stringContaining("nothing is lost, trying again"),
  });
  await until("not ready", async () => (await fetch(`${address}/health/ready`)).status === 503);
  other.exec("ROLLBACK");
  other.close();
  await until("the view after the lock", () => nameInView() === "After");
  await until("ready again", async () => (await fetch(`${address}/health/ready`)).status === 200);
});

test("a clock that goes back makes no lag negative, and holds no webhook", async () => {
  let now = Date.parse("2026-03-01T12:00:00Z");
  const lag = createLag(() => now);
  const at = { topic: "omni.lead", partition: 0 };
  const measure = () =>
    lag.measure([{ ...at, nextOffset: 1, last: null, cursor: null }], [{ ...at, end: 2 }])[0]?.seconds;
  lag.measure([{ ...at, nextOffset: 1, last: null, cursor: null }], [{ ...at, end: 1 }]);
  now -= 3_600_000;
  expect(measure()).toBe(0);
  now += 3_700_000;
  expect(measure()).toBe(100);

  const { store, foldBatch, close } = openProjector();
  foldBatch([createSpeaker().say({ event: "lead.created" })]);
  const endpoints = openEndpoints(join(folder, "webhooks.sqlite"));
  const endpoint = endpoints.add("ws-1", "https://127.0.0.1:1/", 0, Date.now());
  settleHere(folder, endpoints);
  // To be tried in a minute, before the clock went back by ten years.
  const nextTryAt = Date.now() + 10 * 365 * 86_400_000;
  const number = store.numbers.last();
  const aside = {
    name: "lead-1",
    lane: "lead-1",
    number,
    reason: "",
    attempts: 1,
    since: Date.now(),
    nextTryAt,
  };
  store.setAsides.put(relayOf(endpoint), aside);
  store.relays.advance(relayOf(endpoint), number);
  const stopping = new AbortController();
  const delivering = deliverWebhooks({
    store,
    endpoints,
    databaseDir: folder,
    log: createLog("projector", "silent"),
    signal: stopping.signal,
    allowPrivate: false,
  });
  await until("a try", () => store.setAsides.get(relayOf(endpoint), "lead-1")?.attempts === 2);
  stopping.abort();
  await delivering;
  endpoints.close();
  close();
});

test("too few file descriptors: the projector says what it could not open, and a restart goes on", async () => {
  for (let partition = 1; partition < 200; partition++)
    appendFileSync(join(folder, "omni.lead", `${partition}.ndjson`), "");
  log.say({ event: "lead.created", data: { firstName: "Ann" } });
  const env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder };
  const limited = startProgram("projector/main.ts", env, { openFiles: 120 });
  expect(await limited.said(/projector stopped/)).toMatchObject({
    error: expect.stringMatching(/EMFILE: too many open files.*ulimit -n/),
  });
  expect(await limited.exited).toBe(1);
  projector = startProgram("projector/main.ts", env);
  await until("the view", () => {
    try {
      return nameInView() === "Ann";
    } catch {
      return false;
    }
  });
});

test("more connections than file descriptors: the API says that it refuses some, and answers once they are gone", async () => {
  const port = await freePort();
  const env = { DATABASE_DIR: folder, PORT: String(port), API_WORKERS: "1" };
  const api = startProgram("api/main.ts", env, { openFiles: 64 });
  try {
    await api.said(/listening/);
    const sockets = Array.from({ length: 60 }, () => connect({ port, host: "127.0.0.1" }));
    for (const socket of sockets) socket.on("error", () => undefined);
    expect(await api.said(/connections refused/)).toMatchObject({
      msg: expect.stringContaining("ulimit -n"),
    });
    for (const socket of sockets) socket.destroy();
    await until("an answer", async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined);
      return answer?.status === 200;
    });
  } finally {
    await api.stop("SIGKILL");
  }
});
