import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "./exclusively.ts";
import type { Progress } from "./progress.ts";

/** How far a running rebuild is, for whoever looks from another process. */
export interface RebuildProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  /** Milliseconds since 1970 at which the phase began. */
  readonly startedAt: number;
  readonly pid: number;
}

const WRITE_MS = 500;

const fileOf = (databaseDir: string): string => join(databaseDir, "rebuild.progress");

/** Keeps the file beside what else shows the progress. */
export function recordedProgress(
  databaseDir: string,
  create: (what: string, total: number) => Progress,
): (what: string, total: number) => Progress {
  return (phase, total) => {
    const shown = create(phase, total);
    const startedAt = Date.now();
    let written = 0;
    const write = (done: number) => {
      const progress: RebuildProgress = { phase, done, total, startedAt, pid: process.pid };
      const file = fileOf(databaseDir);
      writeFileSync(`${file}.next`, JSON.stringify(progress));
      renameSync(`${file}.next`, file);
      written = performance.now();
    };
    write(0);
    return {
      update(done) {
        shown.update(done);
        if (performance.now() - written >= WRITE_MS) write(done);
      },
      finish() {
        shown.finish();
        write(total);
      },
    };
  };
}

export const removeProgress = (databaseDir: string): void => rmSync(fileOf(databaseDir), { force: true });

/** The running rebuild's progress; undefined where none runs. */
export function readProgress(databaseDir: string): RebuildProgress | undefined {
  const file = fileOf(databaseDir);
  if (!existsSync(file)) return undefined;
  const progress = JSON.parse(readFileSync(file, "utf8")) as RebuildProgress;
  // What a killed one left behind.
  return isAlive(progress.pid) ? progress : undefined;
}
