// A lead that is erased is gone from every file, and no person's data is ever in a log.
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lineOfRecord } from "../../../projector/source/file-log/file-record.ts";
import { openStore } from "../../../projector/store/store.ts";
import { keysFile } from "../../../shared/config.ts";
import { viewFile } from "../../../shared/generation.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { createSpeaker } from "../../harness/events.ts";
import { freePort } from "../../harness/free-port.ts";
import { startProgram } from "../../harness/process.ts";
import { viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

const CANARY = /canary-[a-z]+/g;
let folder: string;
let log: string;
let databaseDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "privacy-"));
  log = join(folder, "log");
  databaseDir = join(folder, "views");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The canaries that any file of the databases still holds. */
const found = (): string[] =>
  readdirSync(databaseDir)
    .filter((name) => name.startsWith("lead_view."))
    .flatMap((name) => contentOf(join(databaseDir, name)).match(CANARY) ?? []);

/** Nothing where the file was removed since it was listed, as the files beside a database are. */
function contentOf(path: string): string {
  try {
    return readFileSync(path).toString("latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

test("an erased lead is in no database file any more, and its data never was in a log", async () => {
  const { say, record } = createSpeaker();
  const email = "canary-mail@example.com";
  const records = [
    say({ event: "lead.created", data: { firstName: "canary-first", email, phoneNumber: "canary-phone" } }),
    say({ leadId: "other", event: "lead.created", data: { email } }),
    say({ event: "document.received", data: { id: "d", filename: "canary-file", storageKey: "canary-key" } }),
    say({
      event: "action_log.created",
      data: { id: "l", messages: [{ id: "m", body: `canary-body ${"x".repeat(40_000)}` }] },
    }),
    record("omni.lead", { value: Buffer.from("canary-letter is not JSON") }),
    say({ event: "lead.updated", data: { firstName: { not: "canary-text" } as never } }),
  ];
  mkdirSync(log);
  for (const one of records) {
    mkdirSync(join(log, one.topic), { recursive: true });
    appendFileSync(join(log, one.topic, "0.ndjson"), `${lineOfRecord(one)}\n`);
  }
  mkdirSync(databaseDir);
  const keys = openKeys(keysFile({ databaseDir }));
  const key = createKey(keys, "ws-1", "test");
  keys.close();
  const port = String(await freePort());
  const env = { EVENT_LOG_DIR: log, DATABASE_DIR: databaseDir, LOG_LEVEL: "trace", PORT: port };
  const projector = startProgram("projector/main.ts", env);
  const api = startProgram("api/main.ts", { ...env, API_WORKERS: "1" });
  const views = () => {
    const store = openStore(viewFile({ databaseDir }));
    try {
      return viewsOf(store);
    } finally {
      store.close();
    }
  };
  await until(
    "both leads and their match",
    () => existsSync(viewFile({ databaseDir })) && views().other?.body.includes("canary-first"),
  );
  const ask = (path: string, headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers }).then((answer) => answer.text());
  await api.said(/listening/);
  expect(await ask("/api/v1/leads/other", { "x-api-key": key })).toContain("canary-mail");
  for (const [path, tried] of [
    ["/api/v1/leads/canary-id", key],
    ["/api/v1/leads/other", "canary-wrongkey"],
    ["/api/v1/leads/%E0%A4%A-canary-address", key],
    ["/api/v1/lead-views/events?status=canary-status", key],
  ] as const) {
    await ask(path, {
      "x-api-key": tried,
      "if-none-match": '"canary-tag"',
      "x-request-id": "not an id: canary-request",
    });
  }
  const opsAddress = await projector.opsAddress();
  const metrics = (await ask("/metrics", {})) + (await (await fetch(`${opsAddress}/metrics`)).text());
  // A kept generation has to forget too.
  const rebuilt = spawnSync(process.execPath, [LEAD_VIEW, "rebuild"], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  expect(rebuilt.status).toBe(0);
  expect(new Set(found())).toContain("canary-body");
  const tombstone = record("omni.lead", {});
  appendFileSync(join(log, "omni.lead", "0.ndjson"), `${lineOfRecord(tombstone)}\n`);
  await until("the erase", () => views()["lead-1"] === undefined);
  // The other lead still has the address that it shares: it is its own.
  await until("nothing to be found", () => found().every((canary) => canary === "canary-mail"), 10_000);
  for (const program of [projector, api]) await program.stop();
  expect(found().every((canary) => canary === "canary-mail")).toBe(true);
  const told = [projector.output(), api.output(), rebuilt.stdout, rebuilt.stderr, metrics].join("\n");
  expect(told.match(CANARY)).toBeNull();
  for (const secret of [key, readFileSync(join(databaseDir, "ops-key"), "utf8").trim()])
    expect(told).not.toContain(secret);
  expect(told).toContain("dead letter");
});
