import { existsSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { generationFile } from "../../shared/generation.ts";
import type { Logger } from "../../shared/log.ts";
import { createWriting, erasureOf } from "../projection/writing.ts";
import { SchemaError } from "../store/migrate.ts";
import { endScrub, scrub } from "../store/scrub.ts";
import { openStore } from "../store/store.ts";
import { removeDatabase } from "./generations.ts";

interface Task {
  readonly file: string;
  readonly leadIds: readonly string[];
}

/** `removed`: it is of another program's schema, so that nothing could be erased from it but all of it. */
type Done = { readonly erased: true } | { readonly removed: string } | { readonly failed: string };

/** Erases leads from the generations that are kept, on a thread of its own: however slow they are, the fold goes on. */
export interface KeptEraser {
  /** @returns false where it could not be done now; try again later */
  erase(databaseDir: string, generation: number, leadIds: readonly string[]): Promise<boolean>;
  /** Waits until it is not at work. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** The thread is started when there is something to erase, and again where it ended. */
export function createKeptEraser(log: Logger): KeptEraser {
  let worker: Worker | undefined;
  let waiting: ((done: Done) => void) | undefined;
  let work: Promise<unknown> = Promise.resolve();
  const start = (): Worker => {
    const started = new Worker(new URL(import.meta.url), { workerData: { eraser: true } });
    started.unref();
    started.on("message", (done: Done) => waiting?.(done));
    started.on("error", (error) => waiting?.({ failed: error.message }));
    started.on("exit", () => {
      worker = undefined;
      waiting?.({ failed: "its thread ended" });
    });
    return started;
  };
  return {
    async erase(databaseDir, generation, leadIds) {
      const file = generationFile(databaseDir, generation);
      // It was removed meanwhile, and what it held with it.
      if (!existsSync(file)) return true;
      const { promise, resolve } = Promise.withResolvers<Done>();
      waiting = resolve;
      work = promise;
      worker ??= start();
      worker.postMessage({ file, leadIds } satisfies Task);
      const done = await promise;
      waiting = undefined;
      if ("failed" in done) {
        log.warn(
          { generation, leads: leadIds.length, error: done.failed },
          "not erased from a kept generation yet",
        );
        return false;
      }
      if ("removed" in done) {
        log.warn(
          { generation, reason: done.removed },
          "a kept generation that erased leads could not be taken out of was removed",
        );
      }
      return true;
    },
    idle: async () => void (await work),
    stop: async () => void (await worker?.terminate()),
  };
}

function erase({ file, leadIds }: Task): Done {
  let store: ReturnType<typeof openStore>;
  try {
    store = openStore(file, { mustExist: true });
  } catch (error) {
    if (!(error instanceof SchemaError)) return { failed: (error as Error).message };
    removeDatabase(file);
    return { removed: error.message };
  }
  try {
    createWriting(store).write(erasureOf(leadIds));
    const mark = scrub(store);
    const [checkpoint] = store.db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
    if (checkpoint?.busy !== 0) return { failed: "somebody reads it" };
    if (mark !== undefined) endScrub(store, mark);
    return { erased: true };
  } catch (error) {
    return { failed: (error as Error).message };
  } finally {
    store.close();
  }
}

if (!isMainThread && (workerData as { eraser?: true } | null)?.eraser) {
  parentPort?.on("message", (task: Task) => parentPort?.postMessage(erase(task)));
}
