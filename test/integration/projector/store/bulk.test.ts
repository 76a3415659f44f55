import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openBulk } from "../../../../projector/store/bulk.ts";
import { openStore } from "../../../../projector/store/store.ts";
import { isOpen } from "../../../../shared/sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "bulk-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// An owner that begins meanwhile removes what nobody has open: a check's file among it, in the middle of its build.
test("a database that is filled is known to be in use, from its first moment to its last", () => {
  const file = join(folder, "filled.sqlite");
  const store = openStore(file);
  expect(isOpen(file)).toBe(true);
  const bulk = openBulk(store);
  expect(isOpen(file)).toBe(true);
  bulk.lead("lead-1", "ws-1", true);
  bulk.keepLetters();
  bulk.index();
  expect(isOpen(file)).toBe(true);
  bulk.end();
  expect(isOpen(file)).toBe(true);
  expect(store.leads.parts("lead-1")).toHaveLength(1);
  store.close();
  expect(isOpen(file)).toBe(false);
});
