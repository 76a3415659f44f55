// The dead-letter commands, as an operator runs them beside a running projector.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lineOfRecord } from "../../../projector/source/file-log/file-record.ts";
import { openStore, type Store } from "../../../projector/store/store.ts";
import { createReadiness } from "../../../shared/control.ts";
import { viewFile } from "../../../shared/generation.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { createSpeaker } from "../../harness/events.ts";
import { viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

let folder: string;
let store: Store;
let child: ReturnType<typeof spawn>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dead-letters-"));
});
afterEach(async () => {
  child.kill("SIGTERM");
  await once(child, "exit");
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const env = (maxEventBytes: number) => ({
  ...process.env,
  EVENT_LOG_DIR: folder,
  LOG_LEVEL: "silent",
  MAX_EVENT_BYTES: String(maxEventBytes),
});
const cli = (...args: string[]) =>
  spawnSync(process.execPath, [LEAD_VIEW, "dead-letters", ...args], {
    env: env(1_024),
    encoding: "utf8",
  });
const start = (maxEventBytes: number) =>
  spawn(process.execPath, ["projector/main.ts"], { env: env(maxEventBytes), stdio: "ignore" });

test("list, show, retry and discard; a retried event is folded in its place, not over newer ones", async () => {
  const { say, record } = createSpeaker();
  const long = "x".repeat(2_000);
  const records = [
    say({ event: "lead.created", data: { firstName: "Ann" } }),
    say({ event: "lead.updated", data: { firstName: "Middle", lastName: long } }),
    say({ event: "lead.updated", data: { firstName: "Newest" } }),
    record("omni.lead", { value: Buffer.from("not json") }),
  ];
  mkdirSync(join(folder, "omni.lead"));
  writeFileSync(join(folder, "omni.lead", "0.ndjson"), `${records.map(lineOfRecord).join("\n")}\n`);
  store = openStore(viewFile({ databaseDir: folder }));
  child = start(1_024);
  const lead = () => JSON.parse(viewsOf(store)["lead-1"]?.body ?? "{}").lead;
  await until("two dead letters", () => store.deadLetters.count() === 2);

  const list = cli("list");
  expect(list.stderr).toBe("");
  expect(list.stdout).toMatch(/^position +failed at +code +reason\nomni\.lead\/0\/1 .* too_large /);
  expect(list.stdout).toMatch(/^omni\.lead\/0\/3 .* not_json /m);
  expect(list.stdout).toContain("2 of 2 dead letters");
  expect(cli("show", "omni.lead/0/3").stdout).toMatch(/^value +"not json"$/m);
  const still = cli("retry", "omni.lead/0/1");
  expect([still.status, still.stderr]).toEqual([1, expect.stringContaining("too_large")]);

  // With a limit that the event fits in, it becomes part of the history as if it had never failed.
  child.kill("SIGTERM");
  await once(child, "exit");
  child = start(1_048_576);
  const readiness = createReadiness(folder);
  await until("the projector", () => readiness.reason() === undefined);
  readiness.close();
  const retried = cli("retry", "omni.lead/0/1");
  expect([retried.status, retried.stdout]).toEqual([0, expect.stringContaining("1 dead letters are gone")]);
  expect(lead()).toMatchObject({ firstName: "Newest", lastName: long });

  // The projector goes on from there.
  const next = say({ event: "lead.updated", data: { website: "https://example.com" } });
  writeFileSync(join(folder, "omni.lead", "0.ndjson"), `${lineOfRecord({ ...next, offset: 4 })}\n`, {
    flag: "a",
  });
  await until("the next event", () => lead().website === "https://example.com");
  expect(lead()).toMatchObject({ firstName: "Newest", lastName: long });

  expect(cli("retry", "omni.lead/0/3").stderr).toContain("upgrade the program, or discard it");
  expect(cli("discard", "omni.lead/0/3").status).toBe(0);
  expect(cli("list").stdout).toBe("There are no dead letters.\n");
  expect(cli("show", "omni.lead/0/3").stderr).toContain("there is no dead letter omni.lead/0/3");
  expect(cli("explode").status).toBe(2);
});
