import { closeSync, existsSync, openSync } from "node:fs";
import Database from "better-sqlite3";

export type Connection = Database.Database;

/**
 * Bytes: what one change writes at least. A view of 11 KB takes three pages behind one another, and a reader finds it as fast
 * as in one of 16 KiB (103,000 a second on one core either way), while a changed view writes 26 KiB of log and not 62.
 */
const PAGE_SIZE = 4_096;
const MMAP_BYTES = 8 * 1024 ** 3;
const WRITER_CACHE_KIB = 262_144;
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Creates a database's file where there is none: what it holds is its owner's alone, and its log and journal get the same
 * rights. One that is there is not touched: closing any descriptor of a file drops every lock that this process has on it,
 * those of other connections too (POSIX).
 */
export function createPrivately(file: string): void {
  if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
}

/** Opens the one connection that writes, in WAL mode; creates the file where there is none. */
export function openWriter(file: string, { mustExist = false } = {}): Connection {
  if (!mustExist && file !== ":memory:") createPrivately(file);
  const opened = new Database(file, { timeout: BUSY_TIMEOUT_MS, fileMustExist: mustExist });
  return setUp(opened, (db) => {
    db.pragma(`page_size = ${PAGE_SIZE}`);
    db.pragma("journal_mode = WAL");
    // In WAL mode NORMAL can lose the last transactions on a power cut but never part of one; positions
    // are in the same transaction as what was folded, so what is lost is folded again from the log.
    db.pragma("synchronous = NORMAL");
    // What is deleted within a page is overwritten; free pages are by an erase (projector/store/overwriting.ts).
    db.pragma("secure_delete = FAST");
    db.pragma("foreign_keys = OFF");
    db.pragma("temp_store = MEMORY");
    db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
    db.pragma(`mmap_size = ${MMAP_BYTES}`);
    // The projector checkpoints on a thread of its own (projector/store/checkpointer.ts).
    db.pragma("wal_autocheckpoint = 0");
  });
}

/** Sets a connection up; one that can't be, since its file is busy or damaged, is closed. */
export function setUp(db: Connection, work: (db: Connection) => void): Connection {
  try {
    work(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens a connection that only reads. Throws where the file is not there. */
export function openReader(file: string): Connection {
  const opened = new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  return setUp(opened, (db) => {
    db.pragma(`mmap_size = ${MMAP_BYTES}`);
    db.pragma("query_only = ON");
  });
}

/** True where somebody has a database open, in whichever process, or where that can't be told. Not for one that is served. */
export function isOpen(file: string): boolean {
  const db = new Database(file, { fileMustExist: true, timeout: 0 });
  try {
    // In WAL mode only who is alone may leave it; otherwise only who is alone may write.
    db.pragma("journal_mode = DELETE");
    db.exec("BEGIN EXCLUSIVE");
    return false;
  } catch (error) {
    return !/^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: string }).code));
  } finally {
    db.close();
  }
}
