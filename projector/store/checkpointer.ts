import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { delay } from "../../shared/clock.ts";
import { type Connection, openWriter } from "../../shared/sqlite.ts";

/** Milliseconds between two looks at the write-ahead log. */
const LOOK_MS = 100;
/**
 * Pages of the write-ahead log, 16 MB, that are worth moving into the database. The log's file says nothing of it: it keeps its
 * size when its content was moved.
 */
const WORTH_MOVING = 4_096;
/**
 * Pages, 64 MB: a log that is longer is begun anew between two commits. Beside a writer that never rests the last of it is never
 * moved otherwise, and it grows with the whole history.
 */
const TOO_LONG = 16_384;
const TURNS = 3;
/** Milliseconds that a commit may be kept waiting for readers by who cuts the log or begins it anew. */
const BUSY_MS = 50;

export interface Checkpointer {
  /** Moves all of it, and cuts the log's file to nothing, so that it holds nothing of what was erased. */
  truncate(): void;
  /** True where that is done for all that was there at the last call. */
  isTruncated(): boolean;
  stop(): Promise<void>;
}

/**
 * Moves the write-ahead log into the database on a thread of its own, so that no commit pays for it. A checkpoint
 * here never makes readers wait, and waits for them no longer than a commit may.
 */
export function startCheckpointer(file: string): Checkpointer {
  const worker = new Worker(new URL(import.meta.url), { workerData: { file } });
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  let [asked, done] = [0, 0];
  worker.on("message", (number: number) => {
    done = number;
  });
  return {
    truncate: () => worker.postMessage(++asked),
    isTruncated: () => done === asked,
    stop() {
      worker.postMessage("stop");
      return ended;
    },
  };
}

async function checkpoint(file: string): Promise<void> {
  const stopping = new AbortController();
  /** The number of the last call that asked for it; undefined = none does. */
  let truncates: number | undefined;
  parentPort?.on("message", (message: number | "stop") => {
    if (message === "stop") stopping.abort();
    else truncates = message;
  });
  let db: Connection | undefined;
  /** True from the first move until all is moved: only then is the log written from its beginning again. */
  let moves = false;
  while (!stopping.signal.aborted) {
    try {
      db ??= open(file);
      const log = move(db, "NOOP");
      if (truncates !== undefined || moves || waiting(log) > WORTH_MOVING) moves = !moveAll(db);
      // Readers can be in its way for a moment; then the next look does it.
      if (truncates === undefined) {
        if (moves && log.log > TOO_LONG) move(db, "RESTART");
      } else if (move(db, "TRUNCATE").busy === 0) {
        parentPort?.postMessage(truncates);
        truncates = undefined;
      }
    } catch {
      // A full disk, or a busy database: commits tell of it, and the next look tries again.
    }
    await delay(LOOK_MS, stopping.signal);
  }
  db?.close();
  parentPort?.close();
}

interface Moved {
  /** 1 where somebody was in the way. */
  readonly busy: number;
  /** Pages in the log, and how many of them are in the database. */
  readonly log: number;
  readonly checkpointed: number;
}

function open(file: string): Connection {
  const db = openWriter(file, { mustExist: true });
  db.pragma(`busy_timeout = ${BUSY_MS}`);
  return db;
}

/**
 * Moves all that is there while commits go on: what came meanwhile is less each time.
 * @returns false where some is left
 */
function moveAll(db: Connection): boolean {
  for (let turn = 0; turn < TURNS; turn++) {
    move(db, "PASSIVE");
    if (waiting(move(db, "NOOP")) === 0) return true;
  }
  return false;
}

/** @param how NOOP = nothing is moved, it is only looked */
const move = (db: Connection, how: "NOOP" | "PASSIVE" | "RESTART" | "TRUNCATE"): Moved =>
  (db.pragma(`wal_checkpoint(${how})`) as [Moved])[0];

const waiting = ({ log, checkpointed }: Moved): number => log - checkpointed;

if (!isMainThread) await checkpoint((workerData as { file: string }).file);
