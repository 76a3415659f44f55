import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { syncPath } from "./sync-path.ts";

// A generation is one database file with all views; a pointer file names the one that serves.

const POINTER = "lead_view.serving";
const FIRST = 1;

export const generationFile = (databaseDir: string, generation: number): string =>
  join(databaseDir, `lead_view.${generation}.sqlite`);

const pointerFile = (databaseDir: string): string => join(databaseDir, POINTER);

/**
 * The number of the generation that serves; the first one where no switch was ever made.
 * @throws Error naming the pointer's file where it holds no generation's number
 */
export function servingGeneration(databaseDir: string): number {
  const pointer = pointerFile(databaseDir);
  if (!existsSync(pointer)) return FIRST;
  const text = readFileSync(pointer, "utf8");
  if (/^[1-9]\d{0,8}\n?$/.test(text)) return Number(text);
  throw new Error(
    `${pointer} does not hold the number of a generation; write the number of a file lead_view.N.sqlite into it, ` +
      "or remove it, with all lead_view files, to fold the history again",
  );
}

/** The file of the serving views. @throws Error as `servingGeneration` */
export const viewFile = ({ databaseDir }: { readonly databaseDir: string }): string =>
  generationFile(databaseDir, servingGeneration(databaseDir));

/** Makes a generation the serving one, by atomic rename; on the disk before it returns. */
export function serveGeneration(databaseDir: string, generation: number): void {
  const pointer = pointerFile(databaseDir);
  const next = `${pointer}.next`;
  const file = openSync(next, "w", 0o600);
  try {
    writeSync(file, `${generation}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, pointer);
  syncPath(databaseDir);
}

/** Tells a switch by the pointer itself: each one is a new file, also one back to the generation that was seen last. */
export interface ServingPointer {
  /** True where another pointer is in place than at the last call that said so. One look at the file's facts. */
  changed(): boolean;
}

export function createServingPointer(databaseDir: string): ServingPointer {
  const pointer = pointerFile(databaseDir);
  const look = () => {
    const found = statSync(pointer, { throwIfNoEntry: false });
    return found ? `${found.ino} ${found.mtimeMs}` : "none";
  };
  let seen = look();
  return {
    changed() {
      const now = look();
      if (now === seen) return false;
      seen = now;
      return true;
    },
  };
}
