// Who may write into a folder, what is asked of it, and what stops it, with real processes.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, openStoreToRead } from "../../../projector/store/store.ts";
import { createReadiness } from "../../../shared/control.ts";
import { generationFile } from "../../../shared/generation.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { startProgram } from "../../harness/process.ts";
import { viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

let folder: string;
let log: string;
let databaseDir: string;
let spoken: ReturnType<typeof openEventLog>;
const running: ReturnType<typeof startProgram>[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "owner-"));
  log = join(folder, "log");
  databaseDir = join(folder, "views");
  mkdirSync(log);
  spoken = openEventLog(log);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const env = () => ({ EVENT_LOG_DIR: log, DATABASE_DIR: databaseDir });
function project() {
  const program = startProgram("projector/main.ts", env());
  running.push(program);
  return program;
}
function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LEAD_VIEW, command, ...args], {
    env: { ...process.env, ...env(), LOG_LEVEL: "error" },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}
const rebuild = (...args: string[]) => run("rebuild", ...args);
const generations = (...args: string[]) => run("generations", ...args);
const letters = (...args: string[]) => run("dead-letters", ...args);

/** What the serving views say, by lead; undefined while there are none. */
function served(): Record<string, string> | undefined {
  try {
    const store = openStoreToRead({ databaseDir });
    try {
      return Object.fromEntries(
        Object.entries(viewsOf(store)).map(([id, { body }]) => [id, JSON.parse(body).lead.firstName]),
      );
    } finally {
      store.close();
    }
  } catch {
    return undefined;
  }
}
const shown = (leadId: string, firstName: string) =>
  until(`${leadId} to be ${firstName}`, () => served()?.[leadId] === firstName);

test("without a projector a command owns the folder; without one nobody is ready", async () => {
  spoken.say({ event: "lead.created", data: { firstName: "One" } });
  const projector = project();
  await shown("lead-1", "One");
  const readiness = createReadiness(databaseDir);
  await until("ready", () => readiness.reason() === undefined);
  await projector.stop();
  expect(readiness.reason()).toContain("the projector stopped; start one");
  readiness.close();
  expect(rebuild().stdout).toContain("generation 2 serves");
  expect(generations("switch", "1").stdout).toContain("generation 1 serves");
  expect(generations("remove", "2").status).toBe(0);
  expect(served()).toEqual({ "lead-1": "One" });
});

test("a pointer that names no generation is refused by its name; an archive that is not there is an error", async () => {
  spoken.say({ event: "lead.created", data: { firstName: "One" } });
  const projector = project();
  await shown("lead-1", "One");
  expect(rebuild("--from", join(folder, "nowhere"))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("there is no such folder"),
  });
  await projector.stop();
  for (const text of ["junk", ""]) {
    writeFileSync(join(databaseDir, "lead_view.serving"), text);
    const refused = project();
    expect(await refused.exited).toBe(1);
    expect(refused.lines().at(-1)?.error).toMatch(
      /lead_view\.serving does not hold the number of a generation/,
    );
  }
  expect(readdirSync(databaseDir).filter((name) => /NaN|\.0\./.test(name))).toEqual([]);
});

test("a log that is shorter, or another one, is refused; what is there can be asked for; the same log in other files is not", async () => {
  for (const firstName of ["One", "Two", "Three"]) spoken.say({ event: "lead.created", data: { firstName } });
  const projector = project();
  await shown("lead-1", "Three");
  await projector.stop();
  // The same records in files of another make, as another tool writes them.
  const file = join(log, "omni.lead", "0.ndjson");
  const lines = readFileSync(file, "utf8").trim().split("\n");
  writeFileSync(file, lines.map((line) => `{ ${line.slice(1)}\n`).join(""));
  const same = project();
  spoken.say({ event: "lead.updated", data: { firstName: "Four" } });
  await shown("lead-1", "Four");
  await same.stop();
  rmSync(file);
  spoken = openEventLog(log);
  for (const firstName of ["Eins", "Zwei"]) spoken.say({ event: "lead.created", data: { firstName } });
  const refused = project();
  expect(await refused.exited).toBe(1);
  expect(refused.lines().at(-1)?.error).toMatch(/another log|ends before offset.*--accept-loss/);
  expect(rebuild("--accept-loss").stdout).toContain("generation 2 serves");
  expect(served()).toEqual({ "lead-1": "Zwei" });
  const goesOn = project();
  spoken.say({ event: "lead.updated", data: { firstName: "Drei" } });
  await shown("lead-1", "Drei");
  await goesOn.stop();
});

test("views of other fold rules are told of, with the command that makes them new", async () => {
  spoken.say({ event: "lead.created", data: { firstName: "One" } });
  const projector = project();
  await shown("lead-1", "One");
  await projector.stop();
  const store = openStore(generationFile(databaseDir, 1));
  store.meta.set("fold_version", "1");
  store.close();
  const upgraded = project();
  const warning = await upgraded.said(/other fold rules/);
  expect(warning.msg).toContain("npx lead-view rebuild");
  const metrics = async () => (await fetch(`${await upgraded.opsAddress()}/metrics`)).text();
  await until("the metric", async () => (await metrics()).includes("lead_view_other_fold_rules 1"));
  expect(rebuild().status).toBe(0);
  await until("the metric to end", async () => (await metrics()).includes("lead_view_other_fold_rules 0"));
});

test("commands that only read create nothing", () => {
  mkdirSync(databaseDir);
  for (const command of [
    () => letters("list"),
    () => run("verify"),
    () => run("view", "--lead", "x", "--events"),
  ]) {
    expect(command()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("there is no view database"),
    });
  }
  expect(generations("list")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("there is no view database"),
  });
  expect(readdirSync(databaseDir)).toEqual([]);
  rmSync(databaseDir, { recursive: true });
  expect(rebuild()).toMatchObject({ status: 1, stderr: expect.stringContaining("no such folder") });
  expect(existsSync(databaseDir)).toBe(false);
});

test("a fault in a commit stops the projector with what happened, to which records, and what to do", async () => {
  spoken.say({ event: "lead.created", data: { firstName: "One" } });
  const projector = project();
  await shown("lead-1", "One");
  const store = openStore(generationFile(databaseDir, 1));
  store.db.exec(
    "CREATE TRIGGER no_more BEFORE UPDATE ON lead_piece BEGIN SELECT RAISE(ABORT, 'no more'); END",
  );
  store.close();
  const position = spoken.say({ event: "lead.updated", data: { firstName: "Two" } });
  expect(await projector.exited).toBe(1);
  expect(projector.lines().at(-1)?.error).toMatch(
    /no more \(at omni\.lead\/0\/1 to 1\); nothing of it was committed/,
  );
  expect(position).toBe("omni.lead/0/1");
  const readiness = createReadiness(databaseDir);
  expect(readiness.reason()).toBeDefined();
  readiness.close();
});
