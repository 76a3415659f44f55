import type { Connection } from "../../shared/sqlite.ts";

/**
 * Has what the work commits on the disk when it returns, and with it all that was committed before: for what something
 * outside of the file is about to rely on, which a power cut must not take back.
 */
export function durably<T>(db: Connection, work: () => T): T {
  db.pragma("synchronous = FULL");
  try {
    return work();
  } finally {
    db.pragma("synchronous = NORMAL");
  }
}
