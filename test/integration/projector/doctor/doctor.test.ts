// What the doctor finds in a folder, each trouble for itself, and what it says to do.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { examine } from "../../../../projector/doctor/examine.ts";
import { openEndpoints, webhooksFile } from "../../../../projector/publish/webhooks/endpoints.ts";
import { keysFile, readConfig } from "../../../../shared/config.ts";
import { generationFile } from "../../../../shared/generation.ts";
import { createKey, openKeys } from "../../../../shared/keys.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { silent } from "../../../harness/kafka.ts";
import { openProjector } from "../../../harness/projector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const examined = (env: Record<string, string> = {}) =>
  examine(readConfig({ EVENT_LOG_DIR: folder, ...env }), silent);
async function of(check: string, env?: Record<string, string>) {
  const findings = (await examined(env)).filter((finding) => finding.check === check);
  return findings.map(({ state, says, todo }) => `${state}: ${says} → ${todo}`).join("\n");
}

test("a folder that is not there, a file in its place, and one without a database: each is said, and nothing is made", async () => {
  expect(await of("folder", { DATABASE_DIR: join(folder, "none") })).toMatch(
    /^fail: .*no such folder → set DATABASE_DIR/,
  );
  writeFileSync(join(folder, "file"), "");
  expect(await of("folder", { DATABASE_DIR: join(folder, "file") })).toMatch(/^fail: .*is a file/);
  expect(await of("database")).toMatch(/^fail: there is no view database/);
  expect(await of("projector")).toMatch(/^fail: .*no projector is at work/);
  expect(await of("keys")).toMatch(/^warn: .*nobody can read → npx lead-view keys create/);
  expect(await of("log", { EVENT_LOG_DIR: join(folder, "nowhere") })).toMatch(/^fail: .*EVENT_LOG_DIR/);
});

test("what is wrong in a database and beside it is said, with what to do", async () => {
  const { store, foldBatch, close } = openProjector(generationFile(folder, 1));
  const { say, record } = createSpeaker();
  foldBatch([say({ event: "lead.created", data: {} }), record("omni.lead", { value: Buffer.from("junk") })]);
  expect(await of("database")).toMatch(/^ok: .*1 views/);
  expect(await of("dead letters")).toMatch(/^warn: 1 records .* → npx lead-view dead-letters list/);
  expect(await of("clock")).toMatch(/^ok/);
  store.meta.set("fold_version", "1");
  expect(await of("database")).toMatch(/^warn: .*fold rules of version 1.* → npx lead-view rebuild/);
  store.transaction(() => store.numbers.raise((Date.now() + 3_600_000) * 1_000));
  expect(await of("clock")).toMatch(/^warn: .*3[56]\d\d s behind the last change/);
  const aside = { lane: "0", number: 1, reason: "too large", attempts: 1, since: 0 };
  store.setAsides.put("topic:views", { name: "lead-1", ...aside, nextTryAt: null });
  expect(await of("relays")).toMatch(
    /^fail: topic:views: 1 are tried again by a command only → .*aside --relay topic:views/,
  );
  const endpoints = openEndpoints(webhooksFile(folder));
  endpoints.add("ws-1", "https://example.com", 0, 0);
  endpoints.close();
  expect(await of("webhooks")).toMatch(/^warn: nothing is sent: this folder is a copy.*webhooks resume/);
  const keys = openKeys(keysFile({ databaseDir: folder }));
  createKey(keys, "ws-1", "crm", Date.now() + 86_400_000);
  keys.close();
  expect(await of("keys")).toMatch(
    /^warn: the key "crm" of workspace ws-1 ends .* → npx lead-view keys rotate --hash/,
  );
  chmodSync(generationFile(folder, 1), 0o644);
  expect(await of("folder")).toMatch(/^warn: others may read lead_view.1.sqlite/);
  store.db.pragma("user_version = 99");
  expect(await of("database")).toMatch(/^fail: .*schema version 99.*Run the newer program/);
  close();
});

test("a broker that does not answer is a finding like any other", async () => {
  const findings = await examined({ KAFKA_BROKERS: "127.0.0.1:1" });
  expect(findings.find(({ check }) => check === "topics")).toMatchObject({
    state: "fail",
    todo: expect.stringContaining("KAFKA_BROKERS"),
  });
  expect(findings.at(-1)?.check).toBe("keys");
});
