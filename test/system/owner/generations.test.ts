// Generations of the views beside folding, erasing, switching and kills, as an operator has them.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask } from "../../../projector/owner/ask.ts";
import { controlFile } from "../../../shared/control.ts";
import { generationFile } from "../../../shared/generation.ts";
import { type OwnerFolder, openOwnerFolder } from "../../harness/owner-folder.ts";
import { until } from "../../harness/wait.ts";

let at: OwnerFolder;
beforeEach(() => {
  at = openOwnerFolder();
});
afterEach(() => at.close());

const ready = (address: string) => fetch(`${address}/health/ready`).then(({ status }) => status);
const noDuties = () =>
  until("no erase left to do", () => at.read((store) => store.erased.countDuties() === 0));
/** Names of the views' files that have the text somewhere in them. */
const filesWith = (text: string) =>
  readdirSync(at.databaseDir).filter((name) => name.startsWith("lead_view.") && at.holds(name, text));

test("an erase while a locked kept generation is switched to: erased everywhere, the switch succeeds, events go on", async () => {
  at.say("gdpr", "lead.created", { firstName: "Canary-gdpr" });
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const projector = at.start();
  await at.shown("lead-1", "Ann");
  expect(at.run("rebuild").status).toBe(0);
  const lines = Array.from({ length: 20_000 }, (_, index) =>
    at.line(`bulk-${index % 500}`, "lead.created", { firstName: `Bulk ${index}` }),
  );
  at.append("omni.lead", 0, lines.join(""));
  // As slow storage would: nothing can be written into the kept generation for a while.
  const locked = new Database(at.file(1));
  locked.exec("BEGIN IMMEDIATE");
  const switching = ask(at.config(), "switch", { generation: 1 });
  at.erase("gdpr");
  at.say("lead-1", "lead.updated", { firstName: "Meanwhile" });
  await at.shown("gdpr", undefined);
  locked.exec("ROLLBACK");
  locked.close();
  await switching;
  expect(at.serving()).toBe(1);
  at.say("lead-1", "lead.updated", { firstName: "After" });
  await at.shown("lead-1", "After");
  await noDuties();
  await until("the erased lead to be in no file", () => filesWith("Canary-gdpr").length === 0);
  expect(Object.keys(at.views())).not.toContain("gdpr");
  expect(await ready(await projector.opsAddress())).toBe(200);
  expect(at.run("verify").stdout).toContain(" 0 differ");
});

test("erases all the time while generations are switched to and fro: every switch comes to its end", async () => {
  for (let lead = 0; lead < 60; lead++) at.say(`e-${lead}`, "lead.created", { firstName: `Canary-${lead}-` });
  at.start();
  await at.shown("e-59", "Canary-59-");
  expect(at.run("rebuild").status).toBe(0);
  let erasing = true;
  const erases = (async () => {
    for (let lead = 0; erasing && lead < 60; lead++) {
      at.erase(`e-${lead}`);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();
  for (const generation of [1, 2, 1, 2]) await ask(at.config(), "switch", { generation });
  erasing = false;
  await erases;
  at.say("last", "lead.created", { firstName: "Last" });
  await at.shown("last", "Last");
  await noDuties();
  const erased = at.read((store) => store.db.prepare<[], string>("SELECT lead_id FROM erased").pluck().all());
  expect(erased.length).toBeGreaterThan(0);
  await until("erased leads in no file", () =>
    erased.every((leadId) => filesWith(`Canary-${leadId.slice(2)}-`).length === 0),
  );
});

test("a kill between a commit and the erase in a kept generation forgets no erase", async () => {
  at.say("gdpr", "lead.created", { firstName: "Canary-gdpr" });
  const projector = at.start();
  await at.shown("gdpr", "Canary-gdpr");
  expect(at.run("rebuild").status).toBe(0);
  const locked = new Database(at.file(1));
  locked.exec("BEGIN IMMEDIATE");
  at.erase("gdpr");
  await at.shown("gdpr", undefined);
  expect(at.read((store) => store.erased.countDuties())).toBe(1);
  await projector.stop("SIGKILL");
  locked.exec("ROLLBACK");
  locked.close();
  expect(filesWith("Canary-gdpr")).toContain("lead_view.1.sqlite");
  at.start();
  await noDuties();
  await until("the erased lead to be in no file", () => filesWith("Canary-gdpr").length === 0);
});

test("a rebuild and a check end at once where the positions of a quiet partition stand still", async () => {
  const many = Array.from({ length: 40_000 }, (_, index) =>
    at.line(`lead-${index % 100}`, "lead.updated", { firstName: `Name ${index}` }),
  );
  at.append("omni.lead", 0, many.join(""));
  at.say("quiet", "lead.created", { firstName: "Quiet" }, 1);
  const projector = at.start();
  await until("all folded", () => at.folded() === 40_001);
  await projector.stop();
  at.say("quiet", "lead.updated", { firstName: "Louder" }, 1);
  const verified = at.run("verify");
  expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining(" 0 differ")]);
  const rebuilt = at.run("rebuild");
  expect([rebuilt.status, rebuilt.stderr]).toEqual([0, expect.any(String)]);
  expect(at.nameOf("quiet")).toBe("Louder");
});

test("after a rebuild and a switch on a live log the next start goes on at its place, and knows the file again", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const first = at.start();
  await at.shown("lead-1", "Ann");
  expect(at.run("rebuild").status).toBe(0);
  expect(at.run("generations", "switch", "1").status).toBe(0);
  at.say("lead-1", "lead.updated", { firstName: "Anna" });
  await at.shown("lead-1", "Anna");
  expect(at.run("generations", "switch", "2").status).toBe(0);
  await first.stop();
  for (const { topic, cursor, last } of at.read((store) => store.positions.all()))
    expect([topic, cursor, last?.offset]).toEqual(["omni.lead", expect.any(String), 1]);
  // The same number of records, but others.
  const path = join(at.log, "omni.lead", "0.ndjson");
  writeFileSync(path, readFileSync(path, "utf8").replaceAll("lead-1", "lead-9"));
  const other = at.start();
  expect(await other.exited).toBe(1);
  expect(String(other.lines().at(-1)?.error)).toMatch(/another log.*rebuild --accept-loss/);
});

test("a discarded letter stays discarded through rebuilds; a letter is named by its position in every generation", async () => {
  at.append("omni.lead", 0, '{"key":"lead-1","value":{"not":"an event"}}\n');
  at.append("omni.lead", 0, '{"key":"lead-1","value":{"nor":"this"}}\n');
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  at.start();
  await at.shown("lead-1", "Ann");
  expect(at.run("dead-letters", "discard", "omni.lead/0/0").stdout).toContain("discarded omni.lead/0/0");
  expect(at.run("rebuild").status).toBe(0);
  expect(at.run("rebuild").status).toBe(0);
  const { stdout } = at.run("dead-letters", "list");
  expect(stdout).not.toContain("omni.lead/0/0 ");
  expect(stdout).toMatch(/^position.*\nomni\.lead\/0\/1 {2}.*\n1 of 1 dead letters/);
  expect(at.run("dead-letters", "show", "omni.lead/0/1").stdout).toMatch(/nor.*this/);
  expect(at.run("dead-letters", "retry", "omni.lead/0/0").stderr).toContain(
    "there is no dead letter omni.lead/0/0",
  );
  expect(at.run("dead-letters", "retry", "1").status).toBe(2);
});

test("folding a lead again leaves the dead letter of a broken line beside its record", async () => {
  at.append("omni.lead", 0, "broken\nbroken too\n");
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  at.start();
  await at.shown("lead-1", "Ann");
  expect(at.run("dead-letters", "list").stdout).toContain("2 of 2 dead letters");
  expect(at.run("rebuild", "--lead", "lead-1").status).toBe(0);
  expect(at.run("dead-letters", "list").stdout).toContain("2 of 2 dead letters");
});

test.each(["junk", "", "1.5\n", "0\n", "-1\n"])(
  "a pointer that holds %j is refused by name, and nothing is folded beside it",
  async (text) => {
    at.say("lead-1", "lead.created", { firstName: "Ann" });
    mkdirSync(at.databaseDir);
    const pointer = join(at.databaseDir, "lead_view.serving");
    writeFileSync(pointer, text);
    const projector = at.start();
    expect(await projector.exited).toBe(1);
    expect(String(projector.lines().at(-1)?.error)).toContain(
      `${pointer} does not hold the number of a generation`,
    );
    for (const result of [at.run("generations", "list"), at.run("rebuild"), at.run("dead-letters", "list")]) {
      expect([result.status, result.stderr]).toEqual([1, expect.stringContaining(pointer)]);
    }
    expect(
      readdirSync(at.databaseDir).filter((name) => name.endsWith(".sqlite") && /view/.test(name)),
    ).toEqual([]);
  },
);

test("no file of a dead process holds anybody up", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  mkdirSync(at.databaseDir);
  writeFileSync(join(at.databaseDir, "rebuild.lock"), "1\n");
  // A copy of a folder brings the lock's file along, which says nothing by itself.
  writeFileSync(join(at.databaseDir, "owner.lock"), "");
  expect(at.run("rebuild").stdout).toContain("serves");
  at.start();
  await at.shown("lead-1", "Ann");
  expect(at.run("rebuild").status).toBe(0);
});

test("a rebuild from a folder that is not there, or is no archive, is an error", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  at.start();
  await at.shown("lead-1", "Ann");
  const empty = join(at.folder, "empty");
  mkdirSync(empty);
  for (const command of ["rebuild", "verify"]) {
    const missing = at.run(command, "--from", join(at.folder, "nonexistent"));
    expect([missing.status, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/nonexistent: there is no such folder/),
    ]);
    const none = at.run(command, "--from", empty);
    expect([none.status, none.stderr]).toEqual([1, expect.stringMatching(/empty.*no archive/)]);
  }
  expect(at.serving()).toBe(1);
  expect(existsSync(at.file(2))).toBe(false);
});

test("what a killed build and a killed check left behind is removed by the next owner, and is no generation", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const first = at.start();
  await at.shown("lead-1", "Ann");
  await first.stop();
  const left = [
    "lead_view.building.sqlite",
    "lead_view.building.sqlite-journal",
    "lead_view.verify-4194303.sqlite",
    "lead_view.7.sqlite-wal",
  ];
  for (const name of left) writeFileSync(join(at.databaseDir, name), "half a database");
  expect(at.run("generations", "list").stdout).toMatch(/^generation.*\n *1 {2}serves.*\n$/);
  at.start();
  await until("the rests to be gone", () => left.every((name) => !existsSync(join(at.databaseDir, name))));
  await at.shown("lead-1", "Ann");
});

test("a generation of an older program's schema beside the serving one stops nothing, and is told by name", async () => {
  at.say("gdpr", "lead.created", { firstName: "Ann" });
  const projector = at.start();
  await at.shown("gdpr", "Ann");
  expect(at.run("rebuild").status).toBe(0);
  const old = new Database(at.file(1));
  old.pragma("user_version = 2");
  old.close();
  expect(at.run("generations", "list").stdout).toMatch(/1 {2}kept +\(schema version 2, not \d+\)/);
  expect(at.run("generations", "switch", "1").stderr).toMatch(/schema version 2.*npx lead-view rebuild/);
  expect(at.serving()).toBe(2);
  // Nothing can be taken out of it by this program: what was erased goes with all of it.
  at.erase("gdpr");
  await at.shown("gdpr", undefined);
  await noDuties();
  expect(existsSync(at.file(1))).toBe(false);
  await projector.said(/was removed/);
});

test("a serving database of another schema: every command says what to do, and a rebuild puts it right", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const first = at.start();
  await at.shown("lead-1", "Ann");
  await first.stop();
  const db = new Database(at.file(1));
  db.pragma("user_version = 2");
  db.close();
  for (const result of [
    at.run("dead-letters", "list"),
    at.run("verify"),
    at.run("view", "--lead", "lead-1", "--events"),
    at.run("dead-letters", "discard", "omni.lead/0/0"),
  ]) {
    expect([result.status, result.stderr]).toEqual([
      1,
      expect.stringMatching(/^lead-view: the view database has schema/),
    ]);
    expect(result.stderr).toContain("npx lead-view rebuild");
  }
  const projector = at.start();
  expect(await projector.exited).toBe(1);
  expect(String(projector.lines().at(-1)?.error)).toContain("npx lead-view rebuild");
  expect(at.run("rebuild").stdout).toContain("generation 2 serves");
  at.start();
  at.say("lead-1", "lead.updated", { firstName: "Anna" });
  await at.shown("lead-1", "Anna");
});

test.each(["missing", "empty"])("commands that read create nothing in a %s folder, and fail", async (how) => {
  if (how === "empty") mkdirSync(at.databaseDir);
  const commands = [
    at.run("dead-letters", "list"),
    at.run("dead-letters", "show", "omni.lead/0/0"),
    at.run("generations", "list"),
    at.run("verify"),
    at.run("view", "--lead", "lead-1", "--events"),
    at.run("view", "--lead", "lead-1", "--at", "2026-03-01T00:00:00Z"),
  ];
  for (const { status, stdout, stderr } of commands) {
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^.*(set DATABASE_DIR).*\n$/);
  }
  expect(existsSync(at.databaseDir)).toBe(how === "empty");
  if (how === "empty") expect(readdirSync(at.databaseDir)).toEqual([]);
});

test.each([
  ["dead-letters", "discard", "omni.lead/0/0"],
  ["dead-letters", "retry", "omni.lead/0/0"],
  ["generations", "switch", "1"],
  ["generations", "remove", "1"],
  ["rebuild", "--lead", "lead-1"],
] as const)("%s %s makes no views in a mistyped folder", (command, ...args) => {
  mkdirSync(at.databaseDir);
  const { status, stderr } = at.run(command, ...args);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^lead-view: there is no/)]);
  expect(readdirSync(at.databaseDir).filter((name) => name.startsWith("lead_view"))).toEqual([]);
});

test("a switch waits for no receiver of a webhook that does not answer", async () => {
  const receiver = createServer(() => undefined).listen(0, "127.0.0.1");
  await until("the receiver", () => receiver.listening);
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const asked = new Promise((resolve) => receiver.once("request", resolve));
  try {
    at.say("lead-1", "lead.created", { firstName: "Ann" });
    at.start({ WEBHOOKS_ALLOW_PRIVATE: "true" });
    await at.shown("lead-1", "Ann");
    await ask(at.config(), "webhooks.add", { workspaceId: "ws-1", url, force: true });
    at.say("lead-1", "lead.updated", { firstName: "An" });
    await asked;
    await ask(at.config(), "rebuild", { switch: false, acceptLoss: false, acceptDeadLetters: false });
    at.say("lead-1", "lead.updated", { firstName: "Anna" });
    await ask(at.config(), "switch", { generation: 2 });
    at.say("lead-1", "lead.updated", { firstName: "Annie" });
    await at.shown("lead-1", "Annie");
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});

test("a control database that somebody else has locked stops neither the fold nor the projector", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  const projector = at.start();
  await at.shown("lead-1", "Ann");
  const locked = new Database(controlFile(at.databaseDir));
  locked
    .prepare(
      "INSERT INTO request (kind, arguments, asked_by, asked_at, state) VALUES ('rebuild', ?, 'a test', 0, 'waiting')",
    )
    .run(JSON.stringify({ switch: true, acceptLoss: false, acceptDeadLetters: false }));
  locked.exec("BEGIN IMMEDIATE");
  await projector.said(/not carried out|control database/);
  at.say("lead-1", "lead.updated", { firstName: "Anna" });
  await at.shown("lead-1", "Anna");
  locked.exec("ROLLBACK");
  locked.close();
  await until("the rebuild", () => at.serving() === 2);
  expect(projector.child.exitCode).toBe(null);
});

test("numbers of generations stay above those that were there", () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  mkdirSync(at.databaseDir);
  writeFileSync(generationFile(at.databaseDir, 7), "");
  expect(at.run("rebuild").stdout).toContain("generation 8 serves");
});
