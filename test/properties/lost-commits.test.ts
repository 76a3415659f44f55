// What was told, and then lost, never stays with whoever was told (rule: one number).
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLiveProjection } from "../../projector/projection/live-projection.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { createRepeats } from "../../projector/projection/repeats.ts";
import { type End, partitionName, type SourceRecord } from "../../projector/source/source.ts";
import { openStore, type Store } from "../../projector/store/store.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import type { ChangeRow } from "../../shared/view/change.ts";
import { createSpeaker } from "../harness/events.ts";
import { silent } from "../harness/kafka.ts";
import { decode, positionAfter } from "../harness/projector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lost-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Change =
  | { firstName: string }
  | { email: string | null }
  | { phoneNumber: string | null }
  | "delete"
  | "restore"
  | "erase"
  | "add item"
  | "remove item";

/** Few values, so that views become again what they were. */
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ firstName: fc.constantFrom("Ann", "Bob") }) },
  { weight: 4, arbitrary: fc.record({ email: fc.constantFrom("a@example.com", "b@example.com", null) }) },
  { weight: 1, arbitrary: fc.record({ phoneNumber: fc.constantFrom("+15550000001", null) }) },
  { weight: 1, arbitrary: fc.constant("delete" as const) },
  { weight: 1, arbitrary: fc.constant("restore" as const) },
  { weight: 1, arbitrary: fc.constant("erase" as const) },
  { weight: 2, arbitrary: fc.constantFrom("add item" as const, "remove item" as const) },
);
const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), change), { minLength: 6, maxLength: 30 });
const lives = fc.record({
  /** Of a hundred records: how many are in what is left, and of those behind, how many were folded before the loss. */
  kept: fc.integer({ min: 0, max: 100 }),
  lost: fc.integer({ min: 0, max: 100 }),
  /** After how many records the first life commits, and the second one. */
  cuts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  again: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
  /** Of a hundred records behind the lost ones: how many the log holds when the second life begins. */
  held: fc.integer({ min: 0, max: 100 }),
  /** Whose turn it is in the second life: a broker hands over each partition by itself. */
  turns: fc.array(fc.constantFrom(TOPICS.lead, TOPICS.checklist), { minLength: 1, maxLength: 5 }),
  /** After which commits the subscriber looks. */
  looks: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
});

const leads = ["lead-0", "lead-1", "lead-2", "lead-3"];

function recordsOf(said: readonly (readonly [number, Change])[]): SourceRecord[] {
  const { say, record } = createSpeaker();
  const created = leads.map((leadId) => say({ leadId, event: "lead.created", data: { firstName: "Ann" } }));
  const later = said.map(([index, what]) => {
    const leadId = leads[index] as string;
    if (what === "erase") return record(TOPICS.lead, { key: Buffer.from(leadId) });
    if (what === "delete")
      return say({ leadId, event: "lead.deleted", data: { deletedAt: "2026-06-01T00:00:00.000Z" } });
    if (what === "add item")
      return say({ leadId, event: "checklist_item.added", data: { item: { id: "i" } } });
    if (what === "remove item") return say({ leadId, event: "checklist_item.removed", data: { id: "i" } });
    if (what === "restore") return say({ leadId, event: "lead.restored", data: {} });
    return say({ leadId, event: "lead.updated", data: what });
  });
  return [...created, ...later];
}

/** Where each partition ends. */
const endsOf = (records: readonly SourceRecord[]): End[] =>
  [...Map.groupBy(records, partitionName).values()].map((all) => {
    const { topic, partition, nextOffset: end } = positionAfter(all.at(-1) as SourceRecord);
    return { topic, partition, end };
  });

/** Keeps the latest that it was told of each lead, and goes on behind the last number. */
function createSubscriber() {
  let cursor = 0;
  const latest = new Map<string, string>();
  return {
    read(store: Store): void {
      for (const told of store.views.after(cursor, 10_000)) {
        latest.set(told.leadId, contentOf(told));
        cursor = told.number;
      }
    },
    latest: () => Object.fromEntries([...latest].sort()),
  };
}
const contentOf = ({ body }: ChangeRow): string => body?.toString("utf8") ?? "gone";
const served = (store: Store): Record<string, string> =>
  Object.fromEntries(
    store.views
      .after(0, 10_000)
      .map((row) => [row.leadId, contentOf(row)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** What was lost had a lead match another one, or match it under another name; in the end it does not. */
const ONCE = { lost: 50, cuts: [1], again: [30], looks: [true], held: 100, turns: [TOPICS.lead] };
const MATCHES: [[number, Change][], typeof ONCE & { kept: number }][] = [
  [
    [
      [1, { email: "b@example.com" }],
      [0, { email: "b@example.com" }],
      [0, { email: null }],
    ],
    { ...ONCE, kept: 72 },
  ],
  [
    [
      [1, { email: "b@example.com" }],
      [0, { email: "b@example.com" }],
      [0, { firstName: "Bob" }],
      [0, { firstName: "Ann" }],
    ],
    { ...ONCE, kept: 75 },
  ],
];

test("after commits were lost that a subscriber was told of, it is told of every view that is another one", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(changes, lives, async (said, { kept, lost, cuts, again, looks, held, turns }) => {
      const file = join(folder, `${runs++}.sqlite`);
      const records = recordsOf(said);
      const keptUpTo = Math.floor((kept * records.length) / 100);
      const lostUpTo = keptUpTo + Math.floor((lost * (records.length - keptUpTo)) / 100);
      const subscriber = createSubscriber();

      const first = openStore(file);
      const projection = createProjection(first, decode);
      let turn = 0;
      const foldTo = (from: number, to: number) => {
        for (let at = from; at < to; turn++) {
          const until = Math.min(to, at + (cuts[turn % cuts.length] as number));
          for (; at < until; at++) {
            projection.fold(records[at] as SourceRecord);
            projection.advance([positionAfter(records[at] as SourceRecord)]);
          }
          projection.commit();
          if (looks[turn % looks.length]) subscriber.read(first);
        }
      };
      foldTo(0, keptUpTo);
      first.db.pragma("wal_checkpoint(TRUNCATE)");
      copyFileSync(file, `${file}.kept`);
      foldTo(keptUpTo, lostUpTo);
      first.close();
      copyFileSync(`${file}.kept`, file);

      const second = openStore(file);
      const stopping = new AbortController();
      const heldUpTo = lostUpTo + Math.floor((held * (records.length - lostUpTo)) / 100);
      const live = createLiveProjection({
        store: second,
        decode,
        log: silent,
        signal: stopping.signal,
        repeats: createRepeats(() => endsOf(records.slice(0, heldUpTo))),
      });
      const left = Map.groupBy(records.slice(keptUpTo), ({ topic }) => topic);
      for (let next = 0; left.size > 0; next++) {
        const turn = turns[next % turns.length] as string;
        const topic = left.has(turn) ? turn : ([...left.keys()][0] as string);
        const waiting = left.get(topic) as SourceRecord[];
        const taken = waiting.splice(0, again[next % again.length]);
        if (waiting.length === 0) left.delete(topic);
        await live.take({
          records: taken,
          positions: [positionAfter(taken.at(-1) as SourceRecord)],
          more: false,
        });
        await live.between(() => undefined);
      }
      subscriber.read(second);
      stopping.abort();
      await live.stop();
      expect(subscriber.latest()).toEqual(served(second));
      second.close();
    }),
    { numRuns: 100, examples: MATCHES },
  );
}, 60_000);
