import { statSync } from "node:fs";
import { wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import { shardName } from "../../shared/shard.ts";
import { startThread, type Thread } from "../../shared/thread.ts";
import type { Decode } from "../decode/decode.ts";
import { type BulkWriting, createBulkWriting } from "../projection/bulk-writing.ts";
import { markFoldRules } from "../projection/fold-version.ts";
import { unpackBatches } from "../projection/packed-batch.ts";
import { createProjection, type ProjectionOptions } from "../projection/projection.ts";
import { createFolderLook } from "../source/file-log/folder.ts";
import { possibleWorkers } from "../source/fold-workers.ts";
import { sharesOf } from "../source/share.ts";
import { type Batch, type Position, partitionName, type Source } from "../source/source.ts";
import { openStore, type Store } from "../store/store.ts";
import { BUILD_SHARE, type ToShare } from "./build-share.ts";
import { removeDatabase } from "./generations.ts";

const MOST_PENDING = 100_000;

export type OnProgress = (phase: string, done: number, total: number) => void;

export interface Building {
  readonly config: Config;
  /** Where the new generation's database is made. */
  readonly file: string;
  /** An archive's folder to begin with; undefined = the log alone. */
  readonly archive: string | undefined;
  readonly log: Logger;
  /** Records at these positions and above are left out; undefined = all that the log holds is folded. */
  readonly limit: readonly Position[] | undefined;
  /** Where another generation stands in the log, whose last records this log has to have; empty = it may be any log. */
  readonly sameLogAs: readonly Position[];
  /** Leads that are known to be erased: nothing of them is written, not even for a moment. */
  readonly erased: readonly string[];
  /** The generation that serves, whose numbers most views keep; undefined = there is none. */
  readonly servingFile: string | undefined;
  /** About how many records there are, for the progress. */
  readonly expected: number;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
  /** Bytes of records that a worker folds at a time; absent = what keeps a build well below a GiB. */
  readonly sliceBytes?: number;
}

/** Bytes of records that all workers together fold at a time, and the least that is worth a slice. */
const FOLDED_AT_ONCE = 8 * 1024 ** 2;
const LEAST_SLICE = 1024 ** 2;
/** As many files as slices are open while the log is read. */
const MOST_SLICES = 384;
/** MiB. A lead is garbage once it is packed, so that a worker needs no more of a young generation than any other thread. */
const YOUNG_MIB = 16;

/**
 * Makes a generation of all that the log holds now: workers fold whole leads in memory, slice by slice, and one writer
 * stores each row once. A killed build is begun again, so nothing here needs to survive a crash before it is finished.
 * @throws SourceError where the log lost records, or an archive can't be read
 */
export async function buildGeneration(building: Building): Promise<Store> {
  const workers = await possibleWorkers(building.config, building.log, building.signal);
  try {
    return await buildWith(building, workers);
  } catch (error) {
    if (!(error instanceof SharedLeadError)) throw error;
    building.log.warn(`${error.message}; one worker folds all of them`);
    removeDatabase(building.file);
    return buildWith(building, 1);
  }
}

/** A lead came from two workers: the topics are not partitioned alike. */
class SharedLeadError extends Error {
  override readonly name = "SharedLeadError";
}

async function buildWith(building: Building, workers: number): Promise<Store> {
  const store = openStore(building.file);
  try {
    markFoldRules(store);
    store.meta.set("shard", shardName(building.config.shard));
    const bulk = createBulkWriting(store, { ...building, failedAt: new Date(wallClock()) });
    await loadLeads(bulk, building, workers);
    building.onProgress("index", 0, 0);
    try {
      bulk.index();
    } catch (error) {
      if (workers > 1 && (error as { code?: string }).code === "SQLITE_CONSTRAINT_UNIQUE")
        throw new SharedLeadError("a lead's events are in partitions of different numbers");
      throw error;
    }
    building.onProgress("match", 0, 0);
    bulk.finish();
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Has the workers fold their shares, and stores what they make. */
async function loadLeads(bulk: BulkWriting, building: Building, workers: number): Promise<void> {
  const { file, expected, onProgress, signal } = building;
  const { archive, limit, sameLogAs, erased } = building;
  const { sliceBytes = Math.max(LEAST_SLICE, Math.floor(FOLDED_AT_ONCE / workers)) } = building;
  const bytes = logBytes(building);
  const slices =
    Math.ceil(Math.min(MOST_SLICES, (bytes ?? MOST_SLICES * sliceBytes) / sliceBytes) / workers) || 1;
  let read = 0;
  let folded = 0;
  const threads: Thread<ToShare>[] = [];
  const work = sharesOf(workers).map((share) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const path = `${file}-slice-${share.worker}`;
    const task = { share, archive, limit, sameLogAs, erased, path, slices, sliceBytes };
    const thread: Thread<ToShare> = startThread(
      BUILD_SHARE,
      task,
      {
        message(message) {
          if (message.type === "read") {
            read += message.records;
            onProgress("read", Math.min(read, expected), expected);
            return;
          }
          try {
            for (const batch of unpackBatches(message.batches)) bulk.write(batch);
          } catch (error) {
            reject(error);
            return;
          }
          folded += message.records;
          if (message.records > 0) onProgress("fold", Math.min(folded, expected), expected);
          thread.post({ taken: message.batches }, [message.batches]);
        },
        ended: (error) => (error ? reject(error) : resolve()),
      },
      { here: workers === 1, youngMiB: YOUNG_MIB },
    );
    threads.push(thread);
    return promise;
  });
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  stopped.catch(() => undefined);
  try {
    await Promise.race([Promise.all(work), stopped]);
  } finally {
    for (const one of work) one.catch(() => undefined);
    await Promise.all(threads.map((thread) => thread.stop()));
  }
  signal.throwIfAborted();
}

/** Bytes of the log's files; undefined where nobody says. */
function logBytes({ archive, config }: Building): number | undefined {
  if (config.kafka) return undefined;
  return [...(archive === undefined ? [] : [archive]), config.eventLogDir]
    .flatMap((folder) => createFolderLook(folder, () => undefined)())
    .reduce((sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

export interface CatchingUp {
  readonly source: Source;
  readonly decode: Decode;
  readonly signal: AbortSignal;
  readonly options?: Pick<ProjectionOptions, "keptGenerations" | "mayRepeat">;
}

/**
 * Folds what the log holds behind a finished generation's positions.
 * @throws SourceError where the log lost records
 */
export async function catchUp(store: Store, { source, decode, signal, options }: CatchingUp): Promise<void> {
  const projection = createProjection(store, decode, options);
  const handle = async (batch: Batch) => {
    for (const record of batch.records) projection.fold(record);
    projection.advance(batch.positions);
    if (!batch.more || projection.pending().records >= MOST_PENDING) projection.commit();
  };
  await source.readToEnd({ positions: projection.positions, handle }, signal);
  signal.throwIfAborted();
  projection.commit();
}

/** The partitions that a generation has not come as far in as another one has. */
export function behind(mine: readonly Position[], others: readonly Position[]): Position[] {
  const own = new Map(mine.map((position) => [partitionName(position), position.nextOffset]));
  return others.filter((position) => (own.get(partitionName(position)) ?? 0) < position.nextOffset);
}
