// A lead that is folded again is read from the partitions that its events came from, wherever they were written.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWriting } from "../../../projector/projection/writing.ts";
import { refoldLeads, type WriteBatch } from "../../../projector/rebuild/refold.ts";
import { createFileLog } from "../../../projector/source/file-log/file-log.ts";
import { lineOfRecord } from "../../../projector/source/file-log/file-record.ts";
import type { Share } from "../../../projector/source/share.ts";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { openStore, type Store } from "../../../projector/store/store.ts";
import { createSpeaker } from "../../harness/events.ts";
import { bytesOf, decode, foldLog } from "../../harness/projector.ts";

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rebuild-lead-"));
  store = openStore(join(folder, "views.sqlite"));
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const { say } = createSpeaker();
const at = (partition: number, record: SourceRecord): SourceRecord => ({ ...record, partition });

async function write(records: readonly SourceRecord[]): Promise<void> {
  const files = Map.groupBy(records, ({ topic, partition }) =>
    join(folder, "log", topic, `${partition}.ndjson`),
  );
  for (const [path, lines] of files) {
    mkdirSync(join(path, ".."), { recursive: true });
    const numbered = lines.map((line, offset) => lineOfRecord({ ...line, offset }));
    writeFileSync(path, `${numbered.join("\n")}\n`);
  }
  await foldLog(store, createFileLog(join(folder, "log")));
}

/** @returns what was read */
async function refold(leadId: string, partition?: number): Promise<Share[]> {
  const shares: Share[] = [];
  await refoldLeads({
    beside: {
      betweenCommits: async <T>(work: (store: Store, write: WriteBatch) => T) =>
        work(store, createWriting(store).write),
      tap: () => () => undefined,
    },
    decode,
    openLog(share) {
      shares.push(share);
      return createFileLog(join(folder, "log"), { share });
    },
    databaseDir: folder,
    leadsOf: () => new Set([leadId]),
    ...(partition === undefined ? {} : { partition }),
  });
  return shares;
}

test("events and dead letters of one lead in several partitions are all found, and no other partition is read", async () => {
  const bad = { ...say({ event: "lead.updated", data: {} }), value: Buffer.from("{no json") };
  await write([
    at(2, say({ event: "lead.created", data: { firstName: "Ann" } })),
    at(5, say({ event: "action_log.created", data: { id: "log-1", type: "MESSAGE" } })),
    at(
      1,
      say({ event: "document.received", data: { id: "document-1", filename: "a" }, workspaceId: "ws-2" }),
    ),
    at(3, bad),
    at(4, say({ event: "lead.created", data: { firstName: "Bob" }, leadId: "lead-2" })),
  ]);
  const before = bytesOf(store);
  const [share] = await refold("lead-1", 0);
  expect([...(share?.only ?? [])].sort()).toEqual([0, 1, 2, 3, 5]);
  expect(bytesOf(store)).toEqual(before);
  // What was folded again knows its partitions too.
  expect([...((await refold("lead-1"))[0]?.only ?? [])].sort()).toEqual([1, 2, 3, 5]);
});

test("of a lead that an earlier version stored, or that nothing is known of, all is read", async () => {
  await write([at(2, say({ event: "lead.created", data: { firstName: "Ann" } }))]);
  store.db.exec(`UPDATE lead_piece SET content = replace(content, '"partitions":[2],', '')`);
  expect((await refold("lead-1"))[0]?.only).toBeUndefined();
  expect((await refold("lead-1"))[0]?.only).toEqual([2]);
  expect((await refold("lead-9"))[0]?.only).toBeUndefined();
});
