import { join } from "node:path";
import Database from "better-sqlite3";
import { delay } from "../../shared/clock.ts";
import { createPrivately } from "../../shared/sqlite.ts";
import { removeLeftovers } from "../rebuild/generations.ts";
import { isPassing } from "../store/trouble.ts";

/** The right to write into a folder (rule: one owner). */
export interface Ownership {
  release(): void;
}

/** Milliseconds between two tries of a standby: well within the second in which it takes over. */
const TRY_MS = 100;

/**
 * Takes the folder, where nobody has it. The right is an exclusive transaction that is held open on a small file of its
 * own: the system drops it when its holder dies, however it dies. What an owner left behind that died is gone then.
 * @returns undefined where another process owns the folder
 */
export function tryToOwn(databaseDir: string): Ownership | undefined {
  const file = join(databaseDir, "owner.lock");
  createPrivately(file);
  const db = new Database(file, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
    removeLeftovers(databaseDir);
    return { release: () => db.close() };
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code?.startsWith("SQLITE_BUSY")) return undefined;
    throw error;
  }
}

/**
 * Waits until the folder can be had: until nobody owns it, and a disk that is full, or in trouble, can be written to (rule:
 * whose fault is it).
 * @param onWaiting told why, where it has to wait, and again where that is another reason
 * @returns undefined where the signal aborts first
 * @throws Error where the folder can't be owned, and waiting does not help
 */
export async function becomeOwner(
  databaseDir: string,
  signal: AbortSignal,
  onWaiting: (why: string) => void,
): Promise<Ownership | undefined> {
  for (let told: string | undefined; !signal.aborted; ) {
    let why = "standby: another projector owns the folder";
    try {
      const owned = tryToOwn(databaseDir);
      if (owned) return owned;
    } catch (error) {
      if (!isPassing(error)) throw error;
      why = `the folder can't be owned now: ${(error as Error).message}`;
    }
    if (why !== told) onWaiting(why);
    told = why;
    await delay(TRY_MS, signal);
  }
  return undefined;
}
