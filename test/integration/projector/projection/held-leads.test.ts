// Leads that are held in memory meet what else happens to them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { erasureOf } from "../../../../projector/projection/writing.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { openProjector, viewsOf } from "../../../harness/projector.ts";

test("a lead that is held and erased stays erased, also for another workspace's events", () => {
  const projector = openProjector();
  const { say, record } = createSpeaker();
  projector.foldBatch([
    say({ event: "lead.created", data: { firstName: "Ann" } }),
    say({ workspaceId: "ws-2", event: "action_log.created", data: { id: "other" } }),
  ]);
  projector.foldBatch([record("omni.lead", { key: Buffer.from("lead-1") })]);
  projector.foldBatch([
    say({ event: "lead.updated", data: { firstName: "Ann again" } }),
    say({ workspaceId: "ws-2", event: "lead.created", data: {} }),
  ]);
  expect(viewsOf(projector.store)).toEqual({});
  const rows = (table: string) =>
    projector.store.db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
  expect([rows("lead"), rows("lead_piece"), rows("lead_identity")]).toEqual([0, 0, 0]);
  expect(projector.store.db.prepare("SELECT dropped FROM erased").pluck().all()).toEqual([2]);
  projector.close();
});

test("what is written beside the fold is what it goes on from", () => {
  const projector = openProjector();
  const { say } = createSpeaker();
  projector.foldBatch([say({ event: "lead.created", data: { firstName: "Ann", lastName: "Smith" } })]);
  projector.projection.write(erasureOf(["lead-1"]));
  projector.foldBatch([say({ event: "lead.updated", data: { firstName: "Ann again" } })]);
  expect(viewsOf(projector.store)).toEqual({});
  projector.close();
});

test("earlier versions of an erased lead's rows are overwritten too, in a file that is not rewritten", () => {
  const folder = mkdtempSync(join(tmpdir(), "overwritten-"));
  const projector = openProjector(join(folder, "views.sqlite"));
  try {
    const { say } = createSpeaker();
    const { store } = projector;
    const files = () => {
      store.db.pragma("wal_checkpoint(TRUNCATE)");
      return readdirSync(folder)
        .map((name) => readFileSync(join(folder, name)).toString("latin1"))
        .join("");
    };
    const log = (leadId: string, index: number, word: string) =>
      say({
        leadId,
        event: "action_log.created",
        data: { id: `log-${index % 3}`, summary: `${word} `.repeat(400 + ((index * 797) % 3_000)) },
      });
    projector.foldBatch([
      say({ event: "lead.created", data: {} }),
      say({ leadId: "other", event: "lead.created", data: {} }),
    ]);
    // Rows of other sizes each time leave their old pages free, and take others.
    for (let index = 0; index < 40; index++)
      projector.foldBatch([log("lead-1", index, "canary"), log("other", index, "sparrow")]);
    const free = Number(store.db.pragma("freelist_count", { simple: true }));
    expect(files()).toContain("canary");
    expect(free).toBeGreaterThan(0);
    projector.projection.write(erasureOf(["lead-1"]));
    expect(files()).not.toContain("canary canary");
    expect(files()).toContain("sparrow");
  } finally {
    projector.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
