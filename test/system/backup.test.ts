// A backup that is taken while all goes on, and what becomes of it in another folder, as RUNBOOK.md tells it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LEAD_VIEW } from "../harness/command.ts";
import { type OwnerFolder, openOwnerFolder } from "../harness/owner-folder.ts";
import { startReceiver } from "../harness/receiver.ts";
import { until } from "../harness/wait.ts";

let at: OwnerFolder;
beforeEach(() => {
  at = openOwnerFolder({ WEBHOOKS_ALLOW_PRIVATE: "true" });
});
afterEach(() => at.close());

const ok = (result: { status: number | null; stdout: string; stderr: string }): string => {
  expect([result.status, result.stderr]).toEqual([0, expect.anything()]);
  return result.stdout;
};

/** The same log, in a folder of views of its own. */
function elsewhere(name: string) {
  const databaseDir = join(at.folder, name);
  return { databaseDir, env: { DATABASE_DIR: databaseDir } };
}

test("a copy taken amid a rebuild, a switch and erases is whole; restored, what was erased since stays so, and it sends nothing until told", async () => {
  const receiver = await startReceiver();
  try {
    at.start();
    for (let lead = 1; lead <= 200; lead++) at.say(`lead-${lead}`, "lead.created", { firstName: "Ann" });
    at.say("gdpr", "lead.created", { firstName: "Forget" });
    at.append("omni.lead", 0, "junk\n");
    await at.shown("gdpr", "Forget");
    await until("the dead letter", () => at.read(({ deadLetters }) => deadLetters.count()) === 1);
    ok(at.run("dead-letters", "discard", "omni.lead/0/201"));
    const key = ok(at.run("keys", "create", "--workspace", "ws-1")).trim();
    ok(at.run("webhooks", "add", "--workspace", "ws-1", "--url", receiver.url));

    const backups = join(at.folder, "backups");
    const amid = spawn(process.execPath, [LEAD_VIEW, "rebuild"], {
      env: { ...process.env, ...at.env },
      stdio: "ignore",
    });
    const ended = once(amid, "exit");
    at.erase("lead-200");
    for (let copy = 1; copy <= 3; copy++) ok(at.run("backup", "--out", join(backups, `${copy}`)));
    await ended;
    ok(at.run("generations", "switch", "1"));
    const backup = join(backups, "last");
    expect(ok(at.run("backup", "--out", backup))).toContain("200 views saved");
    for (const name of ["", ...readdirSync(backup)])
      expect([name, statSync(join(backup, name)).mode & 0o077]).toEqual([name, 0]);

    // Since then: an erase, a change, and a machine that is lost.
    at.erase("gdpr");
    at.say("lead-1", "lead.updated", { firstName: "Anna" });
    await at.shown("lead-1", "Anna");
    for (const copy of ["1", "last"]) {
      const to = elsewhere(`restored-${copy}`);
      expect(ok(at.runWith(to.env, "restore", "--from", join(backups, copy)))).toContain("199 views");
      expect(ok(at.runWith(to.env, "verify"))).toContain("199 views from a fresh fold, 0 differ");
      expect(ok(at.runWith(to.env, "dead-letters", "list"))).toContain("There are no dead letters");
      expect(ok(at.runWith(to.env, "keys", "list", "--json"))).toContain('"workspace": "ws-1"');
      for (const name of ["", ...readdirSync(to.databaseDir)])
        expect([name, statSync(join(to.databaseDir, name)).mode & 0o077]).toEqual([name, 0]);
      for (const name of readdirSync(to.databaseDir).filter((one) => one.startsWith("lead_view")))
        expect(readFileSync(join(to.databaseDir, name)).includes("Forget")).toBe(false);
    }
    expect(key).toMatch(/^lv_/);

    // The restored folder takes the other's place: silent, until it is told.
    await at.stopAll();
    const to = elsewhere("restored-last");
    const restored = at.start(to.env);
    await restored.said(/webhooks are not sent/);
    const before = receiver.received.length;
    at.say("lead-2", "lead.updated", { firstName: "Told" });
    await until("the event", () =>
      ok(at.runWith(to.env, "verify")).includes("199 views from a fresh fold, 0 differ"),
    );
    expect(at.runWith(to.env, "doctor").stdout).toMatch(
      /WARN {2}webhooks +nothing is sent: this folder is a copy/,
    );
    expect(receiver.received).toHaveLength(before);
    ok(at.runWith(to.env, "webhooks", "resume"));
    await until("the change to be told", () => receiver.received.some(({ body }) => body.includes("Told")));
  } finally {
    await receiver.close();
  }
});

test("a restore that can't be right changes nothing, and says why", async () => {
  at.say("lead-1", "lead.created", { firstName: "Ann" });
  at.start();
  await at.shown("lead-1", "Ann");
  const backup = join(at.folder, "backup");
  ok(at.run("backup", "--out", backup));
  const refused = (env: Record<string, string>, from: string, why: RegExp) => {
    const { status, stderr } = at.runWith(env, "restore", "--from", from);
    expect([status, stderr]).toEqual([1, expect.stringMatching(why)]);
  };
  expect(at.run("backup", "--out", backup)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("there already"),
  });
  refused({}, backup, /a projector is at work/);
  const empty = elsewhere("empty");
  refused(empty.env, at.folder, /is no backup/);
  await at.stopAll();
  refused({}, backup, /holds .*lead_view\.1\.sqlite.*restore into an empty DATABASE_DIR/);
  // A log that ends before the backup is another one, or lost records.
  const log = join(at.folder, "other-log");
  mkdirSync(join(log, "omni.lead"), { recursive: true });
  refused({ ...empty.env, EVENT_LOG_DIR: log }, backup, /omni\.lead\/0/);
  appendFileSync(join(backup, "lead_view.1.sqlite"), "x");
  refused(empty.env, backup, /is not what was written: the backup is damaged/);
  expect(readdirSync(empty.databaseDir).filter((name) => name !== "owner.lock")).toEqual([]);
  expect(existsSync(`${backup}.partial`)).toBe(false);
});
