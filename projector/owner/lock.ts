import { join } from "node:path";
import Database from "better-sqlite3";
import { delay } from "../../shared/clock.ts";
import { createPrivately } from "../../shared/sqlite.ts";

/** The right to write into a folder (rule: one owner). */
export interface Ownership {
  release(): void;
}

/** Milliseconds between two tries of a standby: well within the second in which it takes over. */
const TRY_MS = 100;

/**
 * Takes the folder, where nobody has it. The right is an exclusive transaction that is held open on a small file of its
 * own: the system drops it when its holder dies, however it dies.
 * @returns undefined where another process owns the folder
 */
export function tryToOwn(databaseDir: string): Ownership | undefined {
  const file = join(databaseDir, "owner.lock");
  createPrivately(file);
  const db = new Database(file, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
    return { release: () => db.close() };
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code?.startsWith("SQLITE_BUSY")) return undefined;
    throw error;
  }
}

/**
 * Waits until the folder can be had.
 * @param onStandby told once, where another process owns it
 * @returns undefined where the signal aborts first
 */
export async function becomeOwner(
  databaseDir: string,
  signal: AbortSignal,
  onStandby: () => void,
): Promise<Ownership | undefined> {
  for (let told = false; !signal.aborted; ) {
    const owned = tryToOwn(databaseDir);
    if (owned) return owned;
    if (!told) onStandby();
    told = true;
    await delay(TRY_MS, signal);
  }
  return undefined;
}
