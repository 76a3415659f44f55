import { statSync } from "node:fs";
import type { Checkpointer } from "./checkpointer.ts";
import type { Store } from "./store.ts";

/** Bytes; rewriting a larger file would keep the fold waiting for seconds. */
const MOST_SCRUBBED = 256 * 1024 ** 2;

// SQLite overwrites what is deleted, but not the copies that its balancing of pages leaves in their unused parts; and the
// file itself is what it was until the write-ahead log was moved into it. So an erase marks the database, and the mark stays
// until the file was rewritten and its log was cut: whoever dies in between leaves it to the next one.

/** Marks the database as holding traces of what was erased, within the erase's transaction. Each mark is another one. */
export const markUnscrubbed = (store: Pick<Store, "meta">): void => mark(store, "unscrubbed");

/**
 * Notes, within the transaction, that something was removed of a lead that is not erased: what the file keeps of it belongs to
 * nothing that an erase would find.
 */
export const markTraces = (store: Pick<Store, "meta">): void => mark(store, "traces");

const mark = ({ meta }: Pick<Store, "meta">, name: "unscrubbed" | "traces"): void =>
  meta.set(name, String(Number(meta.get(name) ?? 0) + 1));

/** True where the file may hold traces of leads of which nothing is stored. */
export const hasTraces = ({ meta }: Pick<Store, "meta">): boolean => meta.get("traces") !== undefined;

/** What is to be scrubbed away; undefined where nothing was erased. */
function unscrubbed({ meta }: Pick<Store, "meta">): string | undefined {
  const erases = meta.get("unscrubbed");
  return erases === undefined ? undefined : `${erases} ${meta.get("traces") ?? ""}`;
}

/**
 * Rewrites a database that leads were erased from, into its write-ahead log. A file that is too large for it stays marked,
 * and is clean after a rebuild, which never writes what was erased (rule: erase everywhere).
 * @returns the mark, to be ended once the log was moved into the file and cut; undefined where there is nothing to do
 */
export function scrub(store: Pick<Store, "db" | "meta">): string | undefined {
  const mark = unscrubbed(store);
  if (mark === undefined) return undefined;
  if ((statSync(store.db.name, { throwIfNoEntry: false })?.size ?? 0) > MOST_SCRUBBED) return undefined;
  store.db.exec("VACUUM");
  return mark;
}

/** Takes the marks away, where nothing was erased or removed since they were read. */
export function endScrub(store: Pick<Store, "meta" | "transaction">, mark: string): void {
  store.transaction(() => {
    if (unscrubbed(store) !== mark) return;
    store.meta.remove("unscrubbed");
    store.meta.remove("traces");
  });
}

export interface Scrubbing {
  readonly store: Store;
  readonly checkpointer: Pick<Checkpointer, "truncate" | "isTruncated">;
  /** Does work between two commits. */
  between<T>(work: () => T): Promise<T>;
}

/**
 * Scrubs a database that is in use. Nobody waits for readers, which can be in the way of the log's cut: each call does the
 * next thing that can be done now.
 */
export function createScrubber({ store, checkpointer, between }: Scrubbing): () => Promise<void> {
  /** The mark that the file was rewritten for. */
  let rewritten: string | undefined;
  return async () => {
    const mark = unscrubbed(store);
    if (mark === undefined) return;
    if (rewritten !== mark) {
      rewritten = await between(() => scrub(store));
      if (rewritten !== undefined) checkpointer.truncate();
    } else if (checkpointer.isTruncated()) {
      await between(() => endScrub(store, mark));
      // The next erase's mark may be the same again.
      rewritten = undefined;
    }
  };
}
