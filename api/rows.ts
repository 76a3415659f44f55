import { LRUCache } from "lru-cache";
import { every } from "../shared/clock.ts";
import type { Connection } from "../shared/sqlite.ts";
import { type LeadViewRow, SELECT_LEAD_VIEW } from "../shared/view/row.ts";
import type { Changes } from "./changes.ts";
import type { Commits } from "./commits.ts";
import type { Answers } from "./representation.ts";

/** A row as this process holds it. */
export interface HeldRow extends LeadViewRow {
  readonly leadId: string;
  readonly body: Buffer;
  /** What was made of the view, and of each of its fields; empty = nothing yet. */
  readonly answers: (Answers | undefined)[];
  /** Bytes that the row and its answers take. */
  bytes: number;
  /** SQLite's number of the commit that it was last seen to be current as of. */
  asOf: number;
}

/** Reads rows of one database file. */
export interface RowReader {
  /** The row as it is now; undefined where there is no view. */
  read(leadId: string): HeldRow | undefined;
  /** Notes that a row takes so many bytes more (less, where negative) than it did. */
  grow(row: HeldRow, bytes: number): void;
  close(): void;
}

/**
 * Reads rows, and keeps those that were read lately. A row that is in memory is the current one where nothing was committed
 * since it was last looked up, which SQLite tells by one number, asked once a turn of the event loop; else its number
 * tells. What is kept is decided by `npm run bench:read`: its warm reads come from memory, its cold ones read a row each.
 * @param mostBytes bytes of rows and answers that are kept
 */
export function createRowReader(
  db: Connection,
  commits: Commits,
  changes: Changes,
  mostBytes: number,
): RowReader {
  const numberOf = db
    .prepare<[string], number>("SELECT number FROM lead_view WHERE lead_id = ? AND body IS NOT NULL")
    .pluck();
  const select = db.prepare<[string], LeadViewRow>(SELECT_LEAD_VIEW);
  const cache = new LRUCache<string, HeldRow>({ maxSize: mostBytes });
  const stopForgetting = forgetChanged(db, changes, cache);
  let reads = 0;
  const keep = (row: HeldRow) => {
    cache.delete(row.leadId);
    cache.set(row.leadId, row, { size: row.bytes });
  };
  return {
    read(leadId) {
      const asOf = commits.ofTurn();
      const known = ++reads % NOTED_ONCE_IN === 0 ? cache.get(leadId) : cache.peek(leadId);
      if (known !== undefined) {
        if (known.asOf === asOf) return known;
        if (numberOf.get(leadId) === known.number) {
          known.asOf = asOf;
          return known;
        }
        cache.delete(leadId);
      }
      const row = select.get(leadId);
      if (row === undefined || row.body === null) return undefined;
      const { workspaceId, number, sectionNumbers, sectionEnds, urlSlots, body } = row;
      const bytes = body.length + leadId.length + (urlSlots?.length ?? 0) + OVERHEAD_BYTES;
      const held: HeldRow = {
        leadId,
        workspaceId,
        number,
        sectionNumbers,
        sectionEnds,
        urlSlots,
        body,
        answers: [],
        bytes,
        asOf,
      };
      keep(held);
      return held;
    },
    grow(row, bytes) {
      row.bytes += bytes;
      if (cache.peek(row.leadId) === row) keep(row);
    },
    close: stopForgetting,
  };
}

/** Noting that a row was used costs as much as finding it; what is read often is noted often enough like this. */
const NOTED_ONCE_IN = 8;

/** About what a row in memory takes beside its texts. */
const OVERHEAD_BYTES = 600;

const FORGET_MS = 100;
const AT_ONCE = 1_000;

/**
 * Drops from memory what has changed, whether somebody reads it or not: an erased lead's bytes do not stay.
 * @returns a function that stops it
 */
function forgetChanged(db: Connection, changes: Changes, cache: LRUCache<string, HeldRow>): () => void {
  const lastCommit = db.prepare<[], number>("PRAGMA data_version").pluck();
  let last = changes.reach().mark;
  let seen: number | undefined;
  const look = () => {
    try {
      const commit = lastCommit.get();
      if (commit === seen) return;
      // What can't be told apart any more is all forgotten.
      if (!changes.remembers(last)) {
        last = changes.reach().mark;
        cache.clear();
      }
      for (;;) {
        const rows = changes.changed(last, AT_ONCE);
        for (const { mark, leadId } of rows) {
          last = mark;
          cache.delete(leadId);
        }
        if (rows.length < AT_ONCE) break;
      }
      seen = commit;
    } catch {
      // A database that can't be read now is looked at again; reads say what is wrong with it.
    }
  };
  const timer = every(FORGET_MS, look).unref();
  return () => timer.stop();
}
