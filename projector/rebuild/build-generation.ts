import { existsSync, renameSync, rmSync } from "node:fs";
import type { Decode } from "../decode/decode.ts";
import { assembleStored } from "../projection/commit.ts";
import { createProjection } from "../projection/projection.ts";
import { createFileLog } from "../source/file-log/file-log.ts";
import { type Batch, type Sink, type Source, SourceError } from "../source/source.ts";
import { openStore, type Store } from "../store/store.ts";
import { createHeldBackSink, type HeldBackSink } from "./held-back-sink.ts";
import type { Progress } from "./progress.ts";

const ASSEMBLED_AT_ONCE = 1_000;
const LOOK_MS = 100;

export interface Building {
  /** Where the new generation's database is made. */
  readonly file: string;
  /** The store of the serving generation: its positions are the aim, and are never overtaken. */
  readonly serving: Store;
  /** An archive's folder to begin with; undefined = the live log from its start. */
  readonly archive: string | undefined;
  /** The live log. */
  readonly source: Source;
  readonly decode: Decode;
  readonly progress: (what: string, total: number) => Progress;
}

/** A generation that is being made, and follows the serving one. */
export interface Growing {
  readonly store: Store;
  /**
   * Waits until the new generation stands where the serving one stood at the call: where the serving one is locked
   * against commits, where it stands.
   * @throws SourceError where the history ends before them
   */
  catchUp(): Promise<void>;
  /** Stops following and closes the database. */
  close(): Promise<void>;
}

/** Removes a database with its write-ahead log. */
export function removeDatabase(file: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(file + suffix, { force: true });
}

/** Gives a closed database its final name. */
export function renameDatabase(from: string, to: string): void {
  if (existsSync(`${from}-wal`)) {
    throw new Error(
      `${from}: its write-ahead log could not be moved into it; is the disk full? Nothing was switched`,
    );
  }
  renameSync(from, to);
}

/**
 * Makes a generation from the first event on: state first, then each view once, then it follows the live log up to
 * the serving generation's positions (design.md section 8).
 */
export async function buildGeneration({
  file,
  serving,
  archive,
  source,
  decode,
  progress,
}: Building): Promise<Growing> {
  removeDatabase(file);
  const store = openStore(file);
  try {
    // A killed build starts clean, so nothing here needs to survive a crash before it is finished.
    store.db.pragma("journal_mode = OFF");
    store.db.pragma("synchronous = OFF");
    await loadState(store, { serving, archive, source, decode, progress });
    assembleAll(store, progress);
    store.db.pragma("journal_mode = WAL");
    store.db.pragma("synchronous = NORMAL");
    return follow(store, serving, source, decode);
  } catch (error) {
    store.close();
    removeDatabase(file);
    throw error;
  }
}

type Loading = Omit<Building, "file">;

async function loadState(
  store: Store,
  { serving, archive, source, decode, progress }: Loading,
): Promise<void> {
  const aim = serving.positions.all();
  const bar = progress(
    "fold",
    aim.reduce((sum, { nextOffset }) => sum + nextOffset, 0),
  );
  let folded = 0;
  const projection = createProjection(store, decode, { assemble: false });
  const onFolded = (records: number) => {
    folded += records;
    bar.update(folded);
  };
  if (archive !== undefined) {
    // What the archive has above the serving positions is left to the live log, which has it too.
    const sink = createHeldBackSink(projection, onFolded, "leave");
    sink.raise(aim);
    await createFileLog(archive, { follow: false }).run(
      refusingBrokenLines(sink),
      new AbortController().signal,
    );
  }
  const sink = createHeldBackSink(projection, onFolded);
  const raising = keepRaising(sink, serving);
  await runUntil(source, sink, sink.reached());
  clearInterval(raising);
  bar.finish();
}

/** Lets the limit follow the serving generation: a limit that stood still could keep one partition behind another. */
function keepRaising(sink: HeldBackSink, serving: Store): NodeJS.Timeout {
  sink.raise(serving.positions.all());
  return setInterval(() => sink.raise(serving.positions.all()), LOOK_MS);
}

/** Runs the source until the promise settles, or the source ends. */
async function runUntil(source: Source, sink: HeldBackSink, until: Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const running = source.run(sink, stopping.signal);
  try {
    await Promise.race([running, until]);
  } finally {
    stopping.abort();
    sink.release();
    await running.catch(() => undefined);
  }
}

/** An archive is what the views stand on: a line in it that can't be read stops the rebuild. */
function refusingBrokenLines(sink: HeldBackSink): Sink {
  return {
    ...sink,
    async handle(batch: Batch) {
      for (const { topic, partition, offset, unreadable } of batch.records) {
        if (unreadable === undefined) continue;
        throw new SourceError(
          `the archive is corrupt: ${topic}/${partition}.ndjson near offset ${offset}: ${unreadable}; ` +
            "restore the file, or rebuild from another archive. Nothing was switched",
        );
      }
      await sink.handle(batch);
    },
  };
}

function assembleAll(store: Store, progress: Building["progress"]): void {
  const total = store.db
    .prepare<[], number>("SELECT count(*) FROM lead WHERE owner = 1")
    .pluck()
    .get() as number;
  const bar = progress("assemble", total);
  let assembled = 0;
  for (let after = 0; ; ) {
    const page = store.leads.owned(after, ASSEMBLED_AT_ONCE);
    const last = page.at(-1);
    if (!last) break;
    assembleStored(
      store,
      page.map(([, leadId]) => leadId),
    );
    assembled += page.length;
    after = last[0];
    bar.update(assembled);
  }
  bar.finish();
}

/** Lets a finished generation follow the live log, up to where the serving one is. */
export function follow(store: Store, serving: Store, source: Source, decode: Decode): Growing {
  const stopping = new AbortController();
  const sink = createHeldBackSink(createProjection(store, decode), () => undefined);
  const raising = keepRaising(sink, serving);
  const running = source.run(sink, stopping.signal);
  running.catch(() => undefined);
  return {
    store,
    async catchUp() {
      sink.raise(serving.positions.all());
      const ended = running.then(() => Promise.reject(new SourceError("the log's reader ended too early")));
      await Promise.race([sink.reached(), ended]);
    },
    async close() {
      clearInterval(raising);
      stopping.abort();
      sink.release();
      await running.catch(() => undefined);
      store.close();
    },
  };
}
