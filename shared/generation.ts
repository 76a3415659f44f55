import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// A generation is one database file with all views; a pointer file names the one that serves (design.md section 8).

const POINTER = "lead_view.serving";
const FIRST = 1;
const LOOK_MS = 100;
/** Milliseconds within which every reader has followed a switch. */
export const FOLLOWED_WITHIN_MS = 3 * LOOK_MS;

export const generationFile = (databaseDir: string, generation: number): string =>
  join(databaseDir, `lead_view.${generation}.sqlite`);

/** The number of the generation that serves; the first one where no switch was ever made. */
export function servingGeneration(databaseDir: string): number {
  const pointer = join(databaseDir, POINTER);
  return existsSync(pointer) ? Number(readFileSync(pointer, "utf8")) : FIRST;
}

/** The file of the serving views. */
export const viewFile = ({ databaseDir }: { readonly databaseDir: string }): string =>
  generationFile(databaseDir, servingGeneration(databaseDir));

/** Makes a generation the serving one, by atomic rename. */
export function serveGeneration(databaseDir: string, generation: number): void {
  const pointer = join(databaseDir, POINTER);
  writeFileSync(`${pointer}.next`, `${generation}\n`);
  renameSync(`${pointer}.next`, pointer);
}

/**
 * Tells when another generation begins to serve.
 * @returns a function that stops it
 */
export function followServing(databaseDir: string, onSwitch: (file: string) => void): () => void {
  let serving = servingGeneration(databaseDir);
  const timer = setInterval(() => {
    const now = servingGeneration(databaseDir);
    if (now === serving) return;
    serving = now;
    onSwitch(generationFile(databaseDir, now));
  }, LOOK_MS).unref();
  return () => clearInterval(timer);
}
