// What an earlier session may have told of and lost is told again, in whatever order its partitions come (rule: told again
// before passed over).
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createLiveProjection,
  type LiveProjection,
} from "../../../../projector/projection/live-projection.ts";
import { createProjection } from "../../../../projector/projection/projection.ts";
import { createRepeats } from "../../../../projector/projection/repeats.ts";
import { type End, partitionName, type SourceRecord } from "../../../../projector/source/source.ts";
import { renumberViews } from "../../../../projector/store/renumber.ts";
import { openStore, type Store } from "../../../../projector/store/store.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { diskTrouble, failingStore } from "../../../harness/failing-store.ts";
import { silent } from "../../../harness/kafka.ts";
import { decode, positionAfter } from "../../../harness/projector.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "told-again-"));
  file = join(folder, "views.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fold(store: Store, records: readonly SourceRecord[]): void {
  const projection = createProjection(store, decode);
  for (const record of records) {
    projection.fold(record);
    projection.advance([positionAfter(record)]);
    projection.commit();
  }
}

/** Folds what is kept, then what a power cut takes. @returns the last number that anybody was told */
function loses(kept: readonly SourceRecord[], lost: readonly SourceRecord[]): number {
  const first = openStore(file);
  fold(first, kept);
  first.db.pragma("wal_checkpoint(TRUNCATE)");
  copyFileSync(file, `${file}.kept`);
  fold(first, lost);
  const told = first.numbers.last();
  first.close();
  copyFileSync(`${file}.kept`, file);
  return told;
}

function begin(store: Store, ends: () => readonly End[]) {
  const stopping = new AbortController();
  const repeats = createRepeats(ends);
  const live = createLiveProjection({ store, decode, log: silent, signal: stopping.signal, repeats });
  const stop = async () => {
    stopping.abort();
    await live.stop();
  };
  return { live, repeats, stop };
}

const take = (live: LiveProjection, records: readonly SourceRecord[]): Promise<void> => {
  const latest = new Map(records.map((record) => [partitionName(record), positionAfter(record)]));
  return live.take({ records, positions: [...latest.values()], more: false });
};

const endOf = (record: SourceRecord): End => {
  const { nextOffset: end, ...partition } = positionAfter(record);
  return { ...partition, end };
};

const tellingOf = (store: Store, number: number): string[] =>
  store.views.after(number, 10_000).map(({ leadId }) => leadId);

test("what one partition's events touch again is told again, though another one's new events touched it before", async () => {
  const { say } = createSpeaker();
  const created = say({ event: "lead.created", data: { firstName: "Ann" } });
  const item = [
    say({ event: "checklist_item.added", data: { item: { id: "i" } } }),
    say({ event: "checklist_item.removed", data: { id: "i" } }),
  ];
  const told = loses([created], item.slice(0, 1));
  const store = openStore(file);
  const { live, stop } = begin(store, () => [endOf(created), endOf(item[1] as SourceRecord)]);
  // The topic of leads is folded up to its end, and goes on, before the broker hands over the checklist's.
  await live.take({ records: [], positions: [positionAfter(created)], more: false });
  await take(live, [say({ event: "lead.updated", data: { firstName: "Ann" } })]);
  await take(live, item);
  await live.between(() => undefined);
  expect(tellingOf(store, told)).toEqual(["lead-1"]);
  await stop();
  store.close();
});

test("all is folded that was only once it is committed", async () => {
  const { say } = createSpeaker();
  const created = say({ event: "lead.created", data: { firstName: "Ann" } });
  const changes = ["Bob", "Ann"].map((firstName) => say({ event: "lead.updated", data: { firstName } }));
  const store = openStore(file);
  fold(store, [created]);
  const flaky = failingStore(store, diskTrouble);
  const { live, repeats, stop } = begin(flaky.store, () => [endOf(changes[1] as SourceRecord)]);
  flaky.failNext();
  await take(live, changes);
  expect(repeats.areOver(store.positions.all())).toBe(false);
  await live.between(() => undefined);
  expect(repeats.areOver(store.positions.all())).toBe(true);
  await stop();
  store.close();
});

test("what is appended while a session is at work does not keep it from being over what was", async () => {
  const { say } = createSpeaker();
  const records = ["Ann", "Bob", "Cid", "Dan"].map((firstName) =>
    say({ event: firstName === "Ann" ? "lead.created" : "lead.updated", data: { firstName } }),
  );
  const store = openStore(file);
  // A writer that is never caught up with: the end is always ahead.
  let end = 2;
  const { live, repeats, stop } = begin(store, () => [{ topic: "omni.lead", partition: 0, end: end++ }]);
  for (const record of records) await take(live, [record]);
  await live.between(() => undefined);
  expect(repeats.areOver(store.positions.all())).toBe(true);
  await stop();
  store.close();
});

test("whoever a lead's leaving connected for a moment, of those that share a placeholder, is told again", async () => {
  const { say } = createSpeaker();
  const leads = Array.from({ length: 201 }, (_, index) => `lead-${index}`);
  const email = "none@example.com";
  const created = leads.map((leadId) => say({ leadId, event: "lead.created", data: { email } }));
  const away = [
    say({ leadId: "lead-0", event: "lead.updated", data: { email: "own@example.com" } }),
    say({ leadId: "lead-0", event: "lead.updated", data: { email } }),
  ];
  const told = loses(created, away.slice(0, 1));
  const store = openStore(file);
  const { live, stop } = begin(store, () => [endOf(away[1] as SourceRecord)]);
  await take(live, away);
  await live.between(() => undefined);
  expect(tellingOf(store, told).sort()).toEqual([...leads].sort());
  await stop();
  store.close();
});

test("of a repeat that others see nothing of, they are not told", async () => {
  const { say } = createSpeaker();
  const email = "a@example.com";
  const created = ["lead-0", "lead-1"].map((leadId) =>
    say({ leadId, event: "lead.created", data: { email } }),
  );
  const again = ["a.example", "b.example"].map((website) =>
    say({ leadId: "lead-0", event: "lead.updated", data: { website } }),
  );
  const told = loses(created, again);
  const store = openStore(file);
  const { live, stop } = begin(store, () => [endOf(again[1] as SourceRecord)]);
  await take(live, again);
  await live.between(() => undefined);
  expect(tellingOf(store, told)).toEqual(["lead-0"]);
  await stop();
  store.close();
});

test("new numbers above another owner's are on the disk before anybody is told that they are", async () => {
  const { say } = createSpeaker();
  const store = openStore(file);
  fold(store, [say({ event: "lead.created", data: { firstName: "Ann" } })]);
  const levels: unknown[] = [];
  const noting: Store = {
    ...store,
    transaction(work) {
      levels.push(store.db.pragma("synchronous", { simple: true }));
      return store.transaction(work);
    },
  };
  const until = { log: silent, signal: new AbortController().signal };
  await renumberViews(noting, store.numbers.last() + 1_000_000_000, until);
  const full = 2;
  expect(levels.length).toBeGreaterThan(1);
  expect(new Set(levels)).toEqual(new Set([full]));
  store.close();
});
