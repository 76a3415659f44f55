import cluster, { type Worker } from "node:cluster";
import { fileURLToPath } from "node:url";
import { after, monotonic } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";

/** The exit code of a process that can't listen: starting it again would not help. */
export const CANNOT_LISTEN = 70;
/** A worker that lived longer was no failed start. */
const SETTLED_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Starts in a row that may fail before there is one that serves. */
const MOST_FAILED_STARTS = 5;

/**
 * Keeps so many workers serving, each with connections of its own. The first one shows that it can be served; then come
 * the others. One that dies is replaced, after a pause that grows where they die again and again. Where none comes to serve
 * this process gives up, with the worker's exit code.
 */
export function startWorkers(workers: number, log: Logger): void {
  // Whatever command began this process: a worker is the API's own program.
  cluster.setupPrimary({ exec: fileURLToPath(new URL("main.ts", import.meta.url)), args: [] });
  let ending = false;
  let failedStarts = 0;
  let shortLives = 0;
  const startedAt = new Map<number, number>();
  const served = new Set<number>();

  const start = () => {
    if (ending) return;
    startedAt.set(cluster.fork().id, monotonic());
  };
  const end = (signal: NodeJS.Signals) => {
    ending = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
  };

  cluster.on("listening", ({ id }: Worker) => {
    served.add(id);
    failedStarts = 0;
    const missing = workers - startedAt.size;
    for (let worker = 0; worker < missing; worker++) start();
  });

  cluster.on("exit", ({ id, process: { pid } }: Worker, code: number | null, signal: string | null) => {
    const livedMs = monotonic() - (startedAt.get(id) as number);
    const hasServed = served.delete(id);
    startedAt.delete(id);
    if (ending) return;
    failedStarts = hasServed ? 0 : failedStarts + 1;
    shortLives = livedMs > SETTLED_MS ? 0 : shortLives + 1;
    if (code === CANNOT_LISTEN || failedStarts >= MOST_FAILED_STARTS) {
      // What keeps one from serving keeps all: it has said what.
      log.fatal({ code, signal }, "api can't be served");
      process.exitCode = code || 1;
      end("SIGTERM");
      return;
    }
    const pauseMs = shortLives === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (shortLives - 1), LONGEST_PAUSE_MS);
    log.error({ pid, code, signal, pauseMs }, "an api worker died; starting another one");
    after(pauseMs, start);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end("SIGTERM"));
  start();
}
