// What all commands have in common, as somebody at a terminal meets it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMANDS } from "../../shared/command-line/commands.ts";
import { LEAD_VIEW } from "../harness/command.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "command-line-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function leadView(args: readonly string[], env: Record<string, string | undefined> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LEAD_VIEW, ...args], {
    cwd: folder,
    env: { ...process.env, LOG_LEVEL: "error", DATABASE_DIR: join(folder, "views"), ...env },
    encoding: "utf8",
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

test("the list of commands is help, and an error where there is none, or an unknown one", () => {
  expect(leadView(["--help"])).toMatchObject({ status: 0, stderr: "" });
  expect(leadView([])).toMatchObject({ status: 2, stdout: "" });
  expect(leadView(["exports"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("unknown command"),
  });
});

test("what was compiled is kept in the user's own cache folder; where it can't be, a command does all the same", () => {
  const cache = join(folder, "cache");
  const kept = { NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: cache };
  expect(leadView(["--version"], kept).status).toBe(0);
  expect(readdirSync(join(cache, "lead-view", "compiled"))).not.toEqual([]);
  const noFolder = join(folder, "no-folder");
  writeFileSync(noFolder, "");
  expect(leadView(["--version"], { ...kept, XDG_CACHE_HOME: noFolder })).toMatchObject({
    status: 0,
    stderr: "",
  });
});

test("each command has an npm script that is its name", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const { name } of COMMANDS)
    expect(scripts[name]).toBe(`node shared/command-line/lead-view.js ${name}`);
});

test("what a user can cause is a sentence, never a stack trace", () => {
  const file = join(folder, "a-file");
  writeFileSync(file, "");
  const damaged = join(folder, "damaged");
  mkdirSync(damaged);
  writeFileSync(join(damaged, "lead_view.serving"), "junk");
  const noDatabase = join(folder, "no-database");
  mkdirSync(noDatabase);
  writeFileSync(
    join(noDatabase, "lead_view.1.sqlite"),
    "this is no database, but long enough to be taken for one",
  );
  const causes: [string[], Record<string, string>, RegExp][] = [
    [["keys", "create", "--workspace", "w"], { DATABASE_DIR: file }, /a file where a folder is needed/],
    [
      ["keys", "create", "--workspace", "w"],
      { DATABASE_DIR: `${file}/below` },
      /a file where a folder is needed/,
    ],
    [["keys", "revoke", "--hash", "ffff"], {}, /0 keys begin with that hash/],
    [["generations", "list"], { DATABASE_DIR: file }, /a file where a folder is needed/],
    [["generations", "list"], { DATABASE_DIR: damaged }, /lead_view\.serving does not hold/],
    [["dead-letters", "list"], { DATABASE_DIR: noDatabase }, /no database, or damaged/],
    [["rebuild", "--lead", "x"], { DATABASE_DIR: file }, /a file where a folder is needed|can't be opened/],
    [["verify"], { DATABASE_DIR: join(folder, "nowhere") }, /there is no view database/],
    [
      ["view", "--lead", "x", "--events"],
      { DATABASE_DIR: join(folder, "nowhere") },
      /there is no view database/,
    ],
    [["webhooks", "list"], { DATABASE_DIR: join(folder, "nowhere") }, /there is no view database/],
    [["relays", "list"], { PORT: "x" }, /PORT must be a whole number/],
    [["api"], { DATABASE_DIR: file, API_WORKERS: "1" }, /a file where a folder is needed/],
    [["projector"], { DATABASE_DIR: file }, /a file where a folder is needed/],
    [["projector"], { PORT: "x" }, /PORT must be a whole number/],
  ];
  for (const [args, env, said] of causes) {
    const { status, stdout, stderr } = leadView(args, env);
    expect([args, env, status]).toEqual([args, env, 1]);
    expect(stdout + stderr).toMatch(said);
    expect(stdout + stderr).not.toMatch(/\n {4}at |node:internal/);
  }
});

test("nothing that is printed steers the terminal, and JSON stays the JSON that it is", () => {
  const name = "evil\u001b]0;x\u0007 \u202eturned\u2066 \u009b31m\nline";
  const env = { DATABASE_DIR: join(folder, "keys") };
  expect(leadView(["keys", "create", "--workspace", "w", "--name", name], env).status).toBe(0);
  const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  const { stdout } = leadView(["keys", "list"], env);
  expect(stdout).not.toMatch(unsafe);
  expect(stdout.trim().split("\n")).toHaveLength(2);
  const json = leadView(["keys", "list", "--json"], env).stdout;
  expect(json).not.toMatch(unsafe);
  expect(JSON.parse(json).keys[0].name).toBe(name);
  expect(leadView(["keys", "revoke", "--hash", name], env).stderr).not.toMatch(unsafe);
  expect(leadView(["generations", "list"], { DATABASE_DIR: `${folder}/${name}` }).stderr).not.toMatch(unsafe);
  expect(leadView([name]).stderr).not.toMatch(unsafe);
  const log = leadView(["projector"], { EVENT_LOG_DIR: `${folder}/\u009b31m\u202e`, PORT: "x\u202e\u009b" });
  expect(log.stdout).not.toMatch(unsafe);
});

test("empty is said as empty", () => {
  const { stdout } = leadView(["keys", "list"], { DATABASE_DIR: join(folder, "empty") });
  expect(stdout).toMatch(/^There are no keys/);
  expect(readdirSync(folder)).not.toContain("empty");
});

test("without its packages, or on an older Node.js, it says what to do", () => {
  const clone = join(folder, "clone");
  cpSync(join(ROOT, "shared", "command-line"), join(clone, "shared", "command-line"), { recursive: true });
  writeFileSync(join(clone, "package.json"), '{"type":"module"}');
  const door = join(clone, "shared", "command-line", "lead-view.js");
  const ran = spawnSync(process.execPath, [door, "start"], { encoding: "utf8" });
  expect([ran.status, ran.stdout, ran.stderr]).toEqual([
    1,
    "",
    "lead-view: its packages are not installed; run this first, in its folder: npm ci\n",
  ]);
});
