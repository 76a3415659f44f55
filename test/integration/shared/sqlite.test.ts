// Databases as several connections of several processes have them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tryToOwn } from "../../../projector/owner/lock.ts";
import { removeLeftChecks } from "../../../projector/rebuild/generations.ts";
import { openWriter } from "../../../shared/sqlite.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sqlite-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What another process gets, that asks for the whole file. */
const asksForAll = (file: string): string =>
  spawnSync(
    process.execPath,
    [
      "-e",
      `const db = new (require("better-sqlite3"))(process.argv[1], { timeout: 0 });
       db.pragma("locking_mode = EXCLUSIVE");
       try { db.exec("CREATE TABLE theirs (x)"); console.log("got it"); } catch ({ code }) { console.log(code); }`,
      file,
    ],
    { encoding: "utf8" },
  ).stdout.trim();

test("a second connection of a process leaves the first one its locks", () => {
  const file = join(folder, "views.sqlite");
  const first = openWriter(file);
  first.exec("CREATE TABLE mine (x)");
  openWriter(file).close();
  expect(asksForAll(file)).toBe("SQLITE_BUSY");
  first.close();
  expect(asksForAll(file)).toBe("got it");
});

test("an owner that looks whether it owns the folder still owns it", () => {
  const owned = tryToOwn(folder);
  expect(owned).toBeDefined();
  expect(tryToOwn(folder)).toBeUndefined();
  expect(asksForAll(join(folder, "owner.lock"))).toBe("SQLITE_BUSY");
  owned?.release();
});

test("an owner removes the database of a check that is gone, and leaves one that is at work its own", () => {
  const [atWork, gone] = ["lead_view.verify-1.sqlite", "lead_view.verify-4194303.sqlite"].map((name) =>
    join(folder, name),
  ) as [string, string];
  openWriter(gone).close();
  const slice = `${gone}-slice-1-0-95`;
  writeFileSync(slice, "");
  const check = openWriter(atWork);
  check.pragma("journal_mode = OFF");
  check.exec("BEGIN; CREATE TABLE mine (x)");
  removeLeftChecks(folder);
  expect([atWork, gone, slice].map((file) => existsSync(file))).toEqual([true, false, false]);
  check.exec("COMMIT");
  check.pragma("journal_mode = WAL");
  check.exec("CREATE TABLE more (x)");
  removeLeftChecks(folder);
  expect(existsSync(atWork)).toBe(true);
  check.close();
  removeLeftChecks(folder);
  expect(existsSync(atWork)).toBe(false);
});

test("databases and the lock are their owner's alone", () => {
  openWriter(join(folder, "views.sqlite")).close();
  tryToOwn(folder)?.release();
  for (const name of ["views.sqlite", "owner.lock"])
    expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
});
