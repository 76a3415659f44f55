import { LRUCache } from "lru-cache";
import { createServingPointer, viewFile } from "../shared/generation.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";
import {
  type ChangeRow,
  SELECT_CHANGES,
  SELECT_LAST_NUMBER,
  SELECT_WORKSPACE_CHANGES,
} from "../shared/view/change.ts";
import { DATABASE_VERSION, type LeadViewRow, SELECT_LEAD_VIEW } from "../shared/view/row.ts";
import type { Answers } from "./lead-response.ts";

/** The view database can't be read now: it is not there yet, or of another schema version. */
export class ViewsUnavailable extends Error {
  override readonly name = "ViewsUnavailable";
}

/** A row as this process holds it. */
export interface HeldRow extends LeadViewRow {
  readonly body: Buffer;
  /** What was made of it; undefined = nothing yet. */
  answers: Answers | undefined;
  /** SQLite's number of the commit that it was last seen to be current as of. */
  asOf: number;
}

/** The read side of the view database. */
export interface Views {
  /** One lead's row as it is now, by one read. @throws ViewsUnavailable */
  read(leadId: string): HeldRow | undefined;
  /** @throws ViewsUnavailable where no views can be read */
  require(): void;
  /** The number of the latest change of any lead. @throws ViewsUnavailable */
  lastChange(): number;
  /** Changes behind a number, in order, at most so many; of one workspace, or of all. @throws ViewsUnavailable */
  changes(after: number, most: number, workspaceId?: string): ChangeRow[];
  /** How far the events are folded. @throws ViewsUnavailable */
  positions(): readonly FoldedPosition[];
  close(): void;
}

/** Where the projector is in a partition. */
export interface FoldedPosition {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record to fold. */
  readonly nextOffset: number;
}

/**
 * Reads the serving generation's database and follows a switch to another one. Opens it at the first use, since the
 * projector may still be making it.
 * @param cacheBytes bytes of views that this process keeps in memory
 */
export function openViews(databaseDir: string, cacheBytes: number): Views {
  let open: ReturnType<typeof openChecked> | undefined;
  const opened = () => {
    open ??= openChecked(viewFile({ databaseDir }), cacheBytes);
    return open;
  };
  const pointer = createServingPointer(databaseDir);
  const following = setInterval(() => {
    if (!pointer.changed()) return;
    const old = open;
    open = undefined;
    old?.close();
  }, 100).unref();
  return {
    read: (leadId) => opened().read(leadId),
    require: () => void opened(),
    lastChange: () => opened().lastChange.get() as number,
    changes: (after, most, workspaceId) =>
      workspaceId === undefined
        ? opened().changes.all(after, most)
        : opened().workspaceChanges.all(workspaceId, after, most),
    positions: () => opened().positions(),
    close() {
      clearInterval(following);
      open?.close();
    },
  };
}

function openChecked(file: string, cacheBytes: number) {
  let db: Connection | undefined;
  try {
    db = openReader(file);
    const version = db.pragma("user_version", { simple: true });
    if (version !== DATABASE_VERSION) {
      throw new Error(`schema version ${version}; this program reads ${DATABASE_VERSION}`);
    }
    const reader = createRowReader(db, cacheBytes);
    const positions = db.prepare<[], FoldedPosition>(
      'SELECT topic, "partition", next_offset AS nextOffset FROM position',
    );
    return {
      ...reader,
      // Who has seen how far the events are folded reads no view from before.
      positions() {
        const all = positions.all();
        reader.refresh();
        return all;
      },
      lastChange: db.prepare<[], number>(SELECT_LAST_NUMBER).pluck(),
      changes: db.prepare<[number, number], ChangeRow>(SELECT_CHANGES),
      workspaceChanges: db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES),
    };
  } catch (cause) {
    db?.close();
    throw new ViewsUnavailable(`the view database can't be read: ${(cause as Error).message}`);
  }
}

/**
 * Reads rows. A row that is in memory is the current one where nothing was committed since it was last looked up, which
 * SQLite tells by one number, asked once a turn of the event loop; else its lead's version tells, which the index holds.
 * Measured, copying a body out of the database costs more than all else that a read does.
 */
function createRowReader(db: Connection, cacheBytes: number) {
  const versionOf = db.prepare<[string], number>("SELECT number FROM lead_view WHERE lead_id = ?").pluck();
  const select = db.prepare<[string], LeadViewRow>(SELECT_LEAD_VIEW);
  const commits = db.prepare<[], number>("PRAGMA data_version").pluck();
  const cache = new LRUCache<string, HeldRow>({
    maxSize: cacheBytes,
    sizeCalculation: ({ body }, leadId) => body.length + leadId.length + OVERHEAD_BYTES,
  });
  let asOf = -1;
  let reads = 0;
  let asked: NodeJS.Immediate | undefined;
  const ask = () => {
    asked = undefined;
  };
  return {
    read(leadId: string): HeldRow | undefined {
      if (asked === undefined) {
        asOf = commits.get() as number;
        asked = setImmediate(ask);
      }
      const known = ++reads % NOTED_ONCE_IN === 0 ? cache.get(leadId) : cache.peek(leadId);
      if (known?.asOf === asOf) return known;
      const version = versionOf.get(leadId);
      if (version === undefined) return undefined;
      if (known?.number === version) {
        known.asOf = asOf;
        return known;
      }
      const row = select.get(leadId);
      if (row === undefined || row.body === null) return undefined;
      const held = { ...row, body: row.body, answers: undefined, asOf };
      cache.set(leadId, held);
      return held;
    },
    /** The next read asks again what was committed, in this turn of the event loop too. */
    refresh(): void {
      clearImmediate(asked);
      asked = undefined;
    },
    close(): void {
      clearImmediate(asked);
      db.close();
    },
  };
}

/** Noting that a row was used costs as much as finding it; what is read often is noted often enough like this. */
const NOTED_ONCE_IN = 8;

/** About what a cached row takes beside its body. */
const OVERHEAD_BYTES = 400;
