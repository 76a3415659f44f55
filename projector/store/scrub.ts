import { statSync } from "node:fs";
import type { Store } from "./store.ts";

/** Bytes; rewriting a larger file would keep the fold waiting for seconds. */
const MOST_SCRUBBED = 256 * 1024 ** 2;

/**
 * Rewrites a database that leads were erased from: SQLite overwrites what is deleted, but not the copies that its
 * balancing of pages leaves in their unused parts. A file that is too large for it stays marked, and is clean after a
 * rebuild, which never writes what was erased (rule: erase everywhere).
 * @returns false where nothing was to be done, or the file is too large
 */
export function scrub({ db, meta }: Store): boolean {
  if (meta.get("unscrubbed") === undefined) return false;
  if ((statSync(db.name, { throwIfNoEntry: false })?.size ?? 0) > MOST_SCRUBBED) return false;
  meta.remove("unscrubbed");
  try {
    db.exec("VACUUM");
  } catch (error) {
    meta.set("unscrubbed", "1");
    throw error;
  }
  return true;
}
