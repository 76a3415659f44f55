// A change's number is never given twice, whatever becomes of the database (rule: one number).
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProjection } from "../../../../projector/projection/projection.ts";
import { createWriting } from "../../../../projector/projection/writing.ts";
import { refoldLeads, type WriteBatch } from "../../../../projector/rebuild/refold.ts";
import type { Source, SourceRecord } from "../../../../projector/source/source.ts";
import { openStore, type Store } from "../../../../projector/store/store.ts";
import type { ChangeRow } from "../../../../shared/view/change.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { decode, positionAfter } from "../../../harness/projector.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "numbers-"));
  file = join(folder, "views.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fold(store: Store, records: readonly SourceRecord[]): void {
  const projection = createProjection(store, decode);
  for (const record of records) {
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  }
  projection.commit();
}

/** A subscriber that keeps what it was told last of each lead, and every number with its content. */
function createSubscriber() {
  let cursor = 0;
  const latest = new Map<string, string>();
  const contents = new Map<number, string>();
  return {
    read(store: Store): void {
      for (const change of store.views.after(cursor, 10_000)) {
        const content = `${change.leadId} ${contentOf(change)}`;
        expect(contents.get(change.number) ?? content).toBe(content);
        contents.set(change.number, content);
        latest.set(change.leadId, contentOf(change));
        cursor = change.number;
      }
    },
    latest: () => Object.fromEntries(latest),
  };
}
const contentOf = ({ body }: ChangeRow): string => body?.toString("utf8") ?? "gone";

const served = (store: Store): Record<string, string> =>
  Object.fromEntries(store.views.after(0, 10_000).map((change) => [change.leadId, contentOf(change)]));

const { say } = createSpeaker();
const leads = Array.from({ length: 20 }, (_, index) => `lead-${index}`);
const created = leads.map((leadId) => say({ leadId, event: "lead.created", data: { firstName: leadId } }));
const updated = leads.map((leadId) => say({ leadId, event: "lead.updated", data: { lastName: "Later" } }));

test("a lost database that is folded anew, in any cut, passes no subscriber over", () => {
  const subscriber = createSubscriber();
  const first = openStore(file);
  fold(first, created);
  for (const record of updated) fold(first, [record]);
  subscriber.read(first);
  first.close();
  rmSync(file);
  const second = openStore(file);
  fold(second, [...created, ...updated]);
  const more = say({ leadId: "lead-3", event: "lead.updated", data: { firstName: "More" } });
  fold(second, [more]);
  subscriber.read(second);
  expect(subscriber.latest()).toEqual(served(second));
  second.close();
});

test("a copy a moment older, or a power cut that took the newest commits, gives no number a second content", () => {
  const subscriber = createSubscriber();
  const before = openStore(file);
  fold(before, created);
  before.db.pragma("wal_checkpoint(TRUNCATE)");
  copyFileSync(file, `${file}.copy`);
  fold(before, updated.slice(0, 10));
  subscriber.read(before);
  before.close();
  copyFileSync(`${file}.copy`, file);
  const after = openStore(file);
  // Folded on in other commits than before: what was one change is another lead's now.
  fold(after, updated.slice(0, 3));
  fold(after, updated.slice(3));
  fold(after, [say({ leadId: "lead-0", event: "lead.updated", data: { firstName: "New" } })]);
  subscriber.read(after);
  expect(subscriber.latest()).toEqual(served(after));
  after.close();
});

test("a clock that goes back gives no number again", () => {
  let now = Date.parse("2026-06-01T00:00:00Z");
  const store = openStore(file, { now: () => now });
  fold(store, created);
  const last = store.numbers.last();
  now -= 86_400_000;
  fold(store, updated);
  expect(store.views.after(last, 100).map(({ number }) => number)).toEqual(
    Array.from({ length: 20 }, (_, index) => last + 1 + index),
  );
  store.close();
});

test("a power cut gives no number a second content while the numbers are ahead of the clock, as behind another owner's", () => {
  const subscriber = createSubscriber();
  const before = openStore(file);
  before.transaction(() => before.numbers.raise((Date.now() + 86_400_000) * 1_000));
  fold(before, created);
  before.db.pragma("wal_checkpoint(TRUNCATE)");
  copyFileSync(file, `${file}.copy`);
  for (const record of updated.slice(0, 10)) fold(before, [record]);
  subscriber.read(before);
  before.close();
  copyFileSync(`${file}.copy`, file);
  const after = openStore(file);
  // What can't be written the first time takes nothing of that back.
  expect(() =>
    after.transaction((next) => {
      next();
      throw new Error("the disk is full");
    }),
  ).toThrow();
  const more = say({ leadId: "lead-0", event: "lead.updated", data: { firstName: "New" } });
  fold(after, [...updated.slice(0, 10), more]);
  subscriber.read(after);
  expect(subscriber.latest()).toEqual(served(after));
  after.close();
});

test("a view that a refold took away, and that comes again, goes on under higher numbers", async () => {
  const store = openStore(file);
  fold(store, created.slice(0, 1));
  const subscriber = createSubscriber();
  subscriber.read(store);
  const log = (records: readonly SourceRecord[]): Source => ({
    ends: () => [],
    owns: () => true,
    trouble: () => undefined,
    run: async () => undefined,
    readToEnd: async (sink) => {
      const last = created[0] as SourceRecord;
      await sink.handle({ records, positions: [positionAfter(last)], more: false });
    },
  });
  const beside = {
    betweenCommits: async <T>(work: (store: Store, write: WriteBatch) => T) =>
      work(store, createWriting(store).write),
    tap: () => () => undefined,
  };
  // By rules under which the lead was never created, its view is gone.
  const refold = (records: readonly SourceRecord[]) =>
    refoldLeads({
      beside,
      decode,
      openLog: () => log(records),
      databaseDir: dirname(file),
      leadsOf: () => new Set(["lead-0"]),
    });
  await refold([]);
  subscriber.read(store);
  expect(subscriber.latest()).toEqual({ "lead-0": "gone" });
  await refold(created.slice(0, 1));
  subscriber.read(store);
  expect(subscriber.latest()).toEqual(served(store));
  expect(subscriber.latest()["lead-0"]).toContain("lead-0");
  store.close();
});
