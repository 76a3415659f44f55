// API keys as their users see them: by the command line, and by the API (seed, Authentication).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openKeysReader } from "../../../api/keys.ts";
import { keysFile } from "../../../shared/config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { enterLeapingWorld } from "../../harness/leaping-world.ts";
import { until } from "../../harness/wait.ts";

describe("keys", () => {
  let databaseDir: string;
  beforeEach(() => {
    databaseDir = mkdtempSync(join(tmpdir(), "keys-"));
  });
  afterEach(() => rmSync(databaseDir, { recursive: true, force: true }));

  async function keys(...args: string[]) {
    const child = spawn(process.execPath, [LEAD_VIEW, "keys", ...args], {
      env: { ...process.env, DATABASE_DIR: databaseDir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit"),
    ]);
    return { code, out: out.trim(), err: err.trim() };
  }
  const open = () => openKeysReader(keysFile({ databaseDir }));
  const hashes = async () =>
    (await keys("list")).out
      .split("\n")
      .slice(1)
      .map((line) => line.split("  ")[0] as string);

  test("a key that was made is good, and listed without being shown", async () => {
    const { out: key } = await keys("create", "--workspace", "ws-1", "--name", "crm", "--expires", "90d");
    const reader = open();
    expect(reader.workspaceOf(key)).toBe("ws-1");
    reader.close();
    const { out } = await keys("list");
    expect(out).toMatch(/^hash +workspace +name +expiry\n[0-9a-f]{12} {2}ws-1 +crm +expires \d{4}-/);
    expect(out).not.toContain(key);
  });

  test("a revoked key stops within a second, in every process that knew it", async () => {
    const { out: key } = await keys("create", "--workspace", "ws-1");
    const readers = [open(), open()];
    for (const reader of readers) expect(reader.workspaceOf(key)).toBe("ws-1");
    const [hash] = await hashes();
    await keys("revoke", "--hash", hash as string);
    await until("all to refuse it", () => readers.every((one) => one.workspaceOf(key) === undefined), 1_000);
    for (const reader of readers) reader.close();
  });

  test("an expired key is refused", async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const { out: key } = await keys("create", "--workspace", "ws-1", "--expires", soon);
    const world = enterLeapingWorld();
    const reader = open();
    try {
      expect(reader.workspaceOf(key)).toBe("ws-1");
      world.leap(61);
      await until("the key's end", () => reader.workspaceOf(key) === undefined);
    } finally {
      reader.close();
      world.leave();
    }
    const db = openKeys(keysFile({ databaseDir }));
    const expired = Date.now() - 1_000;
    createKey(db, "ws-1", "old", expired);
    db.close();
    expect((await keys("list")).out).toContain(`expired ${new Date(expired).toISOString().slice(0, 10)}`);
  });

  test("no keys are said to be none, and help is no error", async () => {
    expect((await keys("list")).out).toMatch(/^There are no keys/);
    expect(await keys("--help")).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage:/) });
  });

  test("after a rotation both keys are good until the grace ends", async () => {
    const { out: old } = await keys("create", "--workspace", "ws-1", "--name", "crm");
    const [hash] = await hashes();
    const reader = open();
    const { out: next } = await keys("rotate", "--hash", hash as string, "--grace", "1h");
    expect([reader.workspaceOf(old), reader.workspaceOf(next)]).toEqual(["ws-1", "ws-1"]);
    expect(
      (await keys("list")).out.split("\n").map((line) => line.split(/ {2,}/).slice(2, 4).join(" ")),
    ).toEqual(expect.arrayContaining([expect.stringMatching(/^crm expires \d{4}/), "crm never expires"]));
    await keys("rotate", "--hash", hash as string, "--grace", "0m");
    await until("the old key to be refused", () => reader.workspaceOf(old) === undefined, 1_000);
    expect(reader.workspaceOf(next)).toBe("ws-1");
    reader.close();
  });

  test.each([
    [["create"], 2, /--workspace <id>/],
    [["revoke", "--hash", "ffff"], 1, /0 keys begin with that hash/],
    [["create", "--worksapce", "w"], 2, /unknown option '--worksapce'[\s\S]*--workspace/],
    [["create", "--workspace", "w", "--expires", "2020-01-31"], 2, /That time is over/],
    [["create", "--workspace", "w", "--expires", "soon"], 2, /time from now, such as 90d, or a date/],
  ])("%j says what is wrong", async (args, code, message) => {
    const result = await keys(...args);
    expect(result.code).toBe(code);
    expect(result.err).toMatch(message);
  });
});
