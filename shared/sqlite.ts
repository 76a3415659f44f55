import { closeSync, existsSync, openSync } from "node:fs";
import Database from "better-sqlite3";

export type Connection = Database.Database;

/**
 * Bytes: a view stays in one page. Measured with 6 KB bodies on one core: 161,000 reads a second, against 32,000 from a
 * table without rowids with pages of 4 KiB.
 */
const PAGE_SIZE = 16_384;
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
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS, fileMustExist: mustExist });
  db.pragma(`page_size = ${PAGE_SIZE}`);
  db.pragma("journal_mode = WAL");
  // In WAL mode NORMAL can lose the last transactions on a power cut but never part of one; positions
  // are in the same transaction as what was folded, so what is lost is folded again from the log.
  db.pragma("synchronous = NORMAL");
  // What is deleted is overwritten in the file: an erased lead is not to be found in its free pages.
  db.pragma("secure_delete = ON");
  db.pragma("foreign_keys = OFF");
  db.pragma("temp_store = MEMORY");
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
  db.pragma(`mmap_size = ${MMAP_BYTES}`);
  // The projector checkpoints on a thread of its own (projector/store/checkpointer.ts).
  db.pragma("wal_autocheckpoint = 0");
  return db;
}

/** Opens a connection that only reads. Throws where the file is not there. */
export function openReader(file: string): Connection {
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  db.pragma(`mmap_size = ${MMAP_BYTES}`);
  db.pragma("query_only = ON");
  return db;
}
