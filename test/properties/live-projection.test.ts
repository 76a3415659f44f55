// On however many threads a followed log is folded, and whatever happens meanwhile: the views are those of one fold.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createLiveProjection } from "../../projector/projection/live-projection.ts";
import { refoldLeads } from "../../projector/rebuild/refold.ts";
import { partitionName, type Sink, type Source, type SourceRecord } from "../../projector/source/source.ts";
import { openStore, type Store } from "../../projector/store/store.ts";
import { createLog } from "../../shared/log.ts";
import { runThreadsHere } from "../../shared/thread.ts";
import { createSpeaker } from "../harness/events.ts";
import { diskTrouble, failingStore } from "../harness/failing-store.ts";
import { bytesOf, deadLettersOf, decode, openProjector, positionAfter } from "../harness/projector.ts";
import { history, recordsOf } from "./arbitrary-history.ts";

let folder: string;
// A thread takes longer to begin than such a history to be folded.
beforeAll(() => runThreadsHere(true));
afterAll(() => runThreadsHere(false));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "live-"));
});
afterEach(() => {
  delete process.env.FOLD_WORKERS;
  rmSync(folder, { recursive: true, force: true });
});

const silent = createLog("projector", "silent");
const step = fc.record({
  size: fc.integer({ min: 0, max: 9 }),
  more: fc.boolean(),
  does: fc.constantFrom("nothing", "nothing", "waits", "fails", "stops", "refolds"),
});
const steps = fc.array(step, { minLength: 1, maxLength: 10 });
const threads = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  from: fc.constantFrom(0, 4),
  workspacePartitions: fc.constant(undefined),
});

test("on any number of threads the views, dead letters and positions are those of one fold", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(history, steps, threads, async (entries, plan, onThreads) => {
      const records = recordsOf(entries);
      const once = openProjector();
      const store = openStore(join(folder, `${runs++}.sqlite`));
      const flaky = failingStore(store, diskTrouble);
      let live = begin(flaky.store, onThreads);
      try {
        once.foldBatch(records);
        for (let at = 0, turn = 0; at < records.length; turn++) {
          const { size, more, does } = plan[turn % plan.length] as (typeof plan)[number];
          const taken = records.slice(at, at + Math.max(size, Number(turn >= plan.length)));
          if (does === "fails") flaky.failNext();
          await live.projection.take({ records: taken, positions: lastOf(taken), more });
          at += taken.length;
          if (does === "waits") await live.projection.between(() => undefined);
          if (does === "refolds") {
            flaky.heal();
            await refold(live.projection, store, records);
          }
          if (does !== "stops" || turn >= plan.length) continue;
          await live.stop();
          live = begin(flaky.store, onThreads);
          at = 0;
        }
        await live.projection.between(() => undefined);
        expect(bytesOf(store)).toEqual(bytesOf(once.store));
        expect(deadLettersOf(store)).toEqual(deadLettersOf(once.store));
        expect(store.positions.all()).toEqual(once.store.positions.all());
      } finally {
        await live.stop();
        store.close();
        once.close();
      }
    }),
    { numRuns: 15 },
  );
}, 120_000);

test("a thread that ends stops the fold with what happened; what was committed stays, and the rest is folded again", async () => {
  const { say } = createSpeaker();
  const records = [
    say({ event: "lead.created", data: { firstName: "Ann" } }),
    say({ event: "lead.updated" }),
  ];
  const store = openStore(join(folder, "views.sqlite"));
  const onThreads = { count: 2, from: 1, workspacePartitions: undefined };
  const [first, second] = records as [SourceRecord, SourceRecord];
  const live = begin(store, onThreads);
  await live.projection.take({ records: [first], positions: [positionAfter(first)], more: false });
  await live.projection.between(() => undefined);
  process.env.FOLD_WORKERS = "none";
  await live.projection.take({ records: [second], positions: [positionAfter(second)], more: true });
  await expect(live.projection.failed).rejects.toThrow(
    /a thread that folds ended: .*FOLD_WORKERS.*nothing is lost/s,
  );
  await expect(live.projection.take({ records: [], positions: [], more: false })).rejects.toThrow(
    "nothing is lost",
  );
  await live.stop();
  expect(store.positions.all().map(({ nextOffset }) => nextOffset)).toEqual([1]);
  delete process.env.FOLD_WORKERS;
  const again = begin(store, onThreads);
  await again.projection.take({ records, positions: [positionAfter(second)], more: false });
  await again.projection.between(() => undefined);
  expect(store.positions.all().map(({ nextOffset }) => nextOffset)).toEqual([2]);
  await again.stop();
  store.close();
});

function begin(store: Store, onThreads: { count: number; from: number; workspacePartitions: undefined }) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const projection = createLiveProjection({ store, decode, log: silent, signal, threads: onThreads });
  return {
    projection,
    async stop() {
      stopping.abort();
      await projection.stop();
    },
  };
}

/** The positions behind the last of each partition. */
const lastOf = (records: readonly SourceRecord[]) =>
  [...new Map(records.map((record) => [partitionName(record), record])).values()].map(positionAfter);

/** Folds every lead again from its first event on, beside the fold. */
async function refold(
  { between, write }: ReturnType<typeof createLiveProjection>,
  store: Store,
  records: readonly SourceRecord[],
): Promise<void> {
  const read = async (sink: Sink) => sink.handle({ records, positions: lastOf(records), more: false });
  const source: Source = {
    ends: () => [],
    owns: () => true,
    trouble: () => undefined,
    run: read,
    readToEnd: read,
  };
  const beside = {
    betweenCommits: <T>(work: (store: Store, writes: typeof write) => T) => between(() => work(store, write)),
    tap: () => () => undefined,
  };
  await refoldLeads({
    beside,
    decode,
    openLog: () => source,
    databaseDir: folder,
    leadsOf: () => new Set(records.map(({ key }) => String(key))),
  });
}
