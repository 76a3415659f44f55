import type { Connection } from "../../shared/sqlite.ts";

/**
 * Has what the work deletes overwritten in the file, and all free pages with it: they hold earlier versions of rows, which
 * an update leaves there as they were (rule: erase everywhere).
 * @param work calls what it is given within its transaction, once everything is deleted
 */
export function overwriting<T>(db: Connection, work: (overwriteFree: () => void) => T): T {
  db.pragma("secure_delete = ON");
  try {
    return work(() => overwriteFreePages(db));
  } finally {
    db.pragma("secure_delete = FAST");
  }
}

/** One blob of zeros takes them all, and gives them back. */
function overwriteFreePages(db: Connection): void {
  const pages = Number(db.pragma("freelist_count", { simple: true }));
  const pageSize = Number(db.pragma("page_size", { simple: true }));
  for (let left = pages * pageSize; left > 0; left -= LONGEST_BLOB)
    db.prepare("INSERT INTO blank VALUES (zeroblob(?))").run(Math.min(left, LONGEST_BLOB));
  db.exec("DELETE FROM blank");
}

/** Bytes; SQLite's own limit is 1,000,000,000. */
const LONGEST_BLOB = 900_000_000;
