// A build makes the same generation however many workers fold, and however small the slices are.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildGeneration } from "../../projector/rebuild/build.ts";
import { lineOfRecord } from "../../projector/source/file-log/file-record.ts";
import type { SourceRecord } from "../../projector/source/source.ts";
import { readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { runThreadsHere } from "../../shared/thread.ts";
import { writeHistory } from "../generate/write-history.ts";
import { bytesOf, deadLettersOf, openProjector } from "../harness/projector.ts";
import { history, recordsOf } from "./arbitrary-history.ts";

let folder: string;
const before = { ...process.env };
// A thread takes longer to begin than such a history to be folded.
beforeAll(() => runThreadsHere(true));
afterAll(() => runThreadsHere(false));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "build-"));
});
afterEach(() => {
  Object.assign(process.env, before);
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the records as files, each lead's in the partition that its number says. */
function writeLog(records: readonly SourceRecord[]): void {
  rmSync(join(folder, "log"), { recursive: true, force: true });
  for (const [path, list] of Map.groupBy(records, ({ topic, partition }) =>
    join(topic, `${partition}.ndjson`),
  )) {
    mkdirSync(join(folder, "log", path, ".."), { recursive: true });
    writeFileSync(join(folder, "log", path), `${list.map(lineOfRecord).join("\n")}\n`);
  }
}

async function built(workers: number, sliceBytes?: number) {
  process.env.EVENT_LOG_DIR = join(folder, "log");
  process.env.DATABASE_DIR = folder;
  process.env.FOLD_WORKERS = String(workers);
  const file = join(folder, `built-${workers}-${sliceBytes}.sqlite`);
  const store = await buildGeneration({
    config: readConfig(process.env),
    file,
    archive: undefined,
    log: createLog("projector", "silent"),
    limit: undefined,
    sameLogAs: [],
    erased: [],
    servingFile: undefined,
    expected: 0,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...(sliceBytes === undefined ? {} : { sliceBytes }),
  });
  const found = {
    views: bytesOf(store),
    letters: deadLettersOf(store),
    positions: store.positions
      .all()
      .map(({ topic, partition, nextOffset }) => [topic, partition, nextOffset]),
  };
  store.close();
  rmSync(file);
  return found;
}

test("the same views, dead letters and positions as a fold of one record after the other", async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 3 }), async (entries, workers) => {
      const records = recordsOf(entries).filter(({ key }) => key !== null);
      writeLog(records);
      const projector = openProjector();
      projector.foldBatch(records);
      const expected = { views: bytesOf(projector.store), letters: deadLettersOf(projector.store) };
      projector.close();
      const { views, letters } = await built(workers, 2_000);
      expect({ views, letters }).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});

test("a generated history gives the same with 1, 2 and 3 workers, in one slice and in many", async () => {
  writeHistory(join(folder, "log"), { leads: 1e6, seed: 5, partitions: 3, records: 3_000 });
  const one = await built(1);
  expect(Object.keys(one.views).length).toBeGreaterThan(50);
  for (const workers of [2, 3]) expect(await built(workers)).toEqual(one);
  expect(await built(2, 20_000)).toEqual(one);
  // Nothing of the records that wait for their slice is left behind.
  expect(readdirSync(folder).filter((name) => name.includes("slice"))).toEqual([]);
});
