import { existsSync } from "node:fs";
import { join } from "node:path";
import { TOPICS } from "../../shared/events/catalogue.ts";
import type { Logger } from "../../shared/log.ts";
import { type Shard, shardName } from "../../shared/shard.ts";
import type { Decode } from "../decode/decode.ts";
import { markFoldRules } from "../projection/fold-version.ts";
import { createProjection, type Projection } from "../projection/projection.ts";
import { createFileLog } from "../source/file-log/file-log.ts";
import {
  type Batch,
  type Position,
  partitionName,
  recordHash,
  type Source,
  SourceError,
} from "../source/source.ts";
import { openStore, type Store } from "../store/store.ts";

const MOST_PENDING = 100_000;

export type OnProgress = (phase: string, done: number, total: number) => void;

export interface Building {
  /** Where the new generation's database is made. */
  readonly file: string;
  /** An archive's folder to begin with; undefined = the log alone. */
  readonly archive: string | undefined;
  readonly source: Source;
  /** What part of the log is folded. */
  readonly shard: Shard;
  /** Told of what the archive has that is not read. */
  readonly log: Pick<Logger, "warn">;
  readonly decode: Decode;
  /** Records at these positions and above are left out; undefined = all that the log holds is folded. */
  readonly limit: readonly Position[] | undefined;
  /** Where another generation stands in the log, whose last records this log has to have; empty = it may be any log. */
  readonly sameLogAs: readonly Position[];
  /** Leads that are known to be erased: nothing of them is written, not even for a moment. */
  readonly erased: readonly string[];
  /** About how many records there are, for the progress. */
  readonly expected: number;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/**
 * Makes a generation of all that the log holds now. A killed build is begun again, so
 * nothing here needs to survive a crash before it is finished.
 * @throws SourceError where the log lost records, or an archive can't be read
 */
export async function buildGeneration(building: Building): Promise<Store> {
  const store = openStore(building.file);
  try {
    store.db.pragma("journal_mode = OFF");
    store.db.pragma("synchronous = OFF");
    markFoldRules(store);
    store.meta.set("shard", shardName(building.shard));
    store.transaction(() => {
      for (const leadId of building.erased) store.erased.add(leadId);
    });
    await loadState(store, building);
    store.db.pragma("journal_mode = WAL");
    store.db.pragma("synchronous = NORMAL");
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

async function loadState(store: Store, building: Building): Promise<void> {
  const { archive, source, shard, log, decode, limit, expected, onProgress, signal } = building;
  const limits = limit && new Map(limit.map((position) => [partitionName(position), position.nextOffset]));
  const lasts = new Map(building.sameLogAs.map(({ last, ...at }) => [partitionName(at), last]));
  const projection = createProjection(store, decode, { numbers: false });
  let folded = 0;
  const handle = async (batch: Batch) => {
    if (archive !== undefined) requireReadable(batch);
    requireSameRecords(batch, lasts);
    foldBelow(projection, batch, limits);
    const { records } = projection.pending();
    if (batch.more && records < MOST_PENDING) return;
    projection.commit();
    folded += records;
    onProgress("fold", Math.min(folded, expected), expected);
  };
  const sink = { positions: projection.positions, handle };
  onProgress("fold", 0, expected);
  if (archive !== undefined) {
    requireArchive(archive);
    await createFileLog(archive, { log, shard }).readToEnd(sink, signal);
  }
  await source.readToEnd(sink, signal);
  signal.throwIfAborted();
  projection.commit();
}

/** Views of another log would take the place of all that readers have seen. */
function requireSameRecords(
  { records }: Batch,
  lasts: ReadonlyMap<string, Position["last"] | undefined>,
): void {
  if (lasts.size === 0) return;
  for (const record of records) {
    const last = lasts.get(partitionName(record));
    if (last?.offset !== record.offset || last.hash === recordHash(record)) continue;
    throw new SourceError(
      `${partitionName(record)}: the record at offset ${record.offset} is not the one that the serving views were folded ` +
        "from: this is another log. Restore it, use another DATABASE_DIR, or accept the loss " +
        "(npx lead-view rebuild --accept-loss). Nothing was switched",
    );
  }
}

/** A mistyped folder would be an archive of nothing. */
function requireArchive(folder: string): void {
  if (!existsSync(folder)) throw new SourceError(`${folder}: there is no such folder`);
  const hasFiles = Object.values(TOPICS).some((topic) => existsSync(join(folder, topic)));
  if (!hasFiles)
    throw new SourceError(
      `${folder}: there is no archive here; its files are <topic>/<partition>.ndjson (npx lead-view archive)`,
    );
}

/** Folds what stands below its partition's limit; a partition that reached it stands still. */
export function foldBelow(
  projection: Projection,
  { records, positions }: Batch,
  limits: ReadonlyMap<string, number> | undefined,
): void {
  const isBelow = (name: string, offset: number) => limits === undefined || offset < (limits.get(name) ?? 0);
  for (const record of records) {
    if (isBelow(partitionName(record), record.offset)) projection.fold(record);
  }
  projection.advance(
    positions.map((position) => {
      const most = limits?.get(partitionName(position)) ?? position.nextOffset;
      return limits === undefined
        ? position
        : { ...position, nextOffset: Math.min(position.nextOffset, most) };
    }),
  );
}

/** An archive is what the views stand on: a line in it that can't be read stops the rebuild. */
function requireReadable({ records }: Batch): void {
  const broken = records.find(({ unreadable }) => unreadable !== undefined);
  if (!broken) return;
  const { topic, partition, offset, unreadable } = broken;
  throw new SourceError(
    `the archive is corrupt: ${topic}/${partition}.ndjson near offset ${offset}: ${unreadable}; ` +
      "restore the file, or rebuild from another archive. Nothing was switched",
  );
}

/**
 * Folds what the log holds behind a finished generation's positions.
 * @throws SourceError where the log lost records
 */
export async function catchUp(
  store: Store,
  source: Source,
  decode: Decode,
  signal: AbortSignal,
): Promise<void> {
  const projection = createProjection(store, decode);
  const handle = async (batch: Batch) => {
    foldBelow(projection, batch, undefined);
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
