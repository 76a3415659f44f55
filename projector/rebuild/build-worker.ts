import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { readConfig } from "../../shared/config.ts";
import { generationFile } from "../../shared/generation.ts";
import { createLog } from "../../shared/log.ts";
import { openReader } from "../../shared/sqlite.ts";
import { syncPath } from "../../shared/sync-path.ts";
import { createDecoder } from "../decode/decode.ts";
import { withWorkspacePartitions } from "../source/kafka/workspace-partitions.ts";
import { openHistorySource } from "../source/open-source.ts";
import type { Position } from "../source/source.ts";
import { openStore, type Store } from "../store/store.ts";
import { buildGeneration, catchUp } from "./build.ts";
import { type Compared, compareNumbers } from "./reconcile.ts";

/** What a worker thread is to make: a new generation, or one that is kept up to date again. */
export interface BuildTask {
  readonly file: string;
  /** True = from the first event on; false = from the generation's own positions on. */
  readonly anew: boolean;
  readonly archive: string | undefined;
  readonly limit: readonly Position[] | undefined;
  readonly expected: number;
  /** Where the serving generation stands in the log, whose last records this log has to have; empty = any log will do. */
  readonly sameLogAs: readonly Position[];
  /** The generation to compare the numbers with; undefined = with none. */
  readonly serving: number | undefined;
}

export interface Built {
  readonly compared: Compared | undefined;
}

type Message =
  | { readonly type: "progress"; readonly phase: string; readonly done: number; readonly total: number }
  | { readonly type: "built"; readonly built: Built }
  | { readonly type: "failed"; readonly message: string; readonly code: string | undefined };

/**
 * Makes a generation on a thread of its own, which writes the generation's file and nothing else: so the fold goes on
 * meanwhile, and a build that is stopped, or whose process dies, has touched nothing that serves.
 * @throws Error as the build, and where the signal aborts
 */
export function runBuild(
  task: BuildTask,
  onProgress: (phase: string, done: number, total: number) => void,
  signal: AbortSignal,
): Promise<Built> {
  signal.throwIfAborted();
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  const { promise, resolve, reject } = Promise.withResolvers<Built>();
  const stop = () => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  worker.on("message", (message: Message) => {
    if (message.type === "progress") onProgress(message.phase, message.done, message.total);
    else if (message.type === "built") resolve(message.built);
    else reject(Object.assign(new Error(message.message), { code: message.code }));
  });
  worker.on("error", reject);
  worker.on("exit", () => reject(new Error(signal.aborted ? "stopped" : "the build ended without a result")));
  return promise.finally(() => signal.removeEventListener("abort", stop));
}

async function build(task: BuildTask): Promise<Built> {
  const log = createLog("projector", "warn");
  const config = await withWorkspacePartitions(readConfig(process.env), log);
  const decode = createDecoder(config);
  const source = () => openHistorySource(config, log);
  const onProgress = (phase: string, done: number, total: number) =>
    parentPort?.postMessage({ type: "progress", phase, done, total } satisfies Message);
  const { signal } = new AbortController();
  let store: Store;
  if (task.anew) {
    const servingFile =
      task.serving === undefined ? undefined : generationFile(config.databaseDir, task.serving);
    const erased = servingFile === undefined ? [] : erasedIn(servingFile);
    store = await buildGeneration({ ...task, config, erased, servingFile, log, onProgress, signal });
  } else {
    store = openStore(task.file);
    onProgress("catch up", 0, 0);
    await catchUp(store, { source: source(), decode, signal });
  }
  try {
    onProgress("compare", 0, 0);
    const { serving } = task;
    const compared =
      serving === undefined
        ? undefined
        : compareNumbers(store, generationFile(config.databaseDir, serving), undefined);
    // Nothing of it is in the log's file then: the database can be given its final name.
    store.db.pragma("wal_checkpoint(TRUNCATE)");
    return { compared };
  } finally {
    store.close();
    // It was filled without a word to the disk, and a power cut is not to find half of it under its final name.
    syncPath(task.file);
  }
}

/** The ids of the leads that were erased from a generation. */
function erasedIn(file: string): string[] {
  const db = openReader(file);
  try {
    return db.prepare<[], string>("SELECT lead_id FROM erased").pluck().all();
  } finally {
    db.close();
  }
}

if (!isMainThread && isTask(workerData)) {
  const message: Message = await build(workerData).then(
    (built) => ({ type: "built", built }),
    (error) => ({ type: "failed", message: error.message, code: error.code }),
  );
  parentPort?.postMessage(message);
}

function isTask(data: unknown): data is BuildTask {
  return typeof (data as BuildTask | null)?.file === "string" && "anew" in (data as object);
}
