import { statSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { delay } from "../../shared/clock.ts";
import { type Connection, openWriter } from "../../shared/sqlite.ts";

/** Milliseconds between two looks at the write-ahead log. */
const LOOK_MS = 100;
/** Bytes of write-ahead log that are worth moving into the database. */
const WORTH_MOVING = 16 * 1024 ** 2;

export interface Checkpointer {
  /** Moves all of it, and cuts the log's file to nothing, so that it holds nothing of what was erased. */
  truncate(): void;
  /** True where that is done for all that was there at the last call. */
  isTruncated(): boolean;
  stop(): Promise<void>;
}

/**
 * Moves the write-ahead log into the database on a thread of its own, so that no commit pays for it. A checkpoint
 * here never waits for readers and never makes them wait.
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
  while (!stopping.signal.aborted) {
    const { size } = statSync(`${file}-wal`, { throwIfNoEntry: false }) ?? { size: 0 };
    try {
      db ??= openWriter(file, { mustExist: true });
      // Readers can be in its way for a moment; then the next look does it.
      if (truncates !== undefined) {
        const [checkpoint] = db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
        if (checkpoint?.busy === 0) {
          parentPort?.postMessage(truncates);
          truncates = undefined;
        }
      } else if (size > WORTH_MOVING) db.pragma("wal_checkpoint(PASSIVE)");
    } catch {
      // A full disk, or a busy database: commits tell of it, and the next look tries again.
    }
    await delay(LOOK_MS, stopping.signal);
  }
  db?.close();
  parentPort?.close();
}

if (!isMainThread) await checkpoint((workerData as { file: string }).file);
