import { LRUCache } from "lru-cache";
import { followServing, viewFile } from "../shared/generation.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";
import { type ChangeRow, SELECT_CHANGES, SELECT_WORKSPACE_CHANGES } from "../shared/view/change.ts";
import { DATABASE_VERSION, type LeadViewRow, SELECT_LEAD_VIEW } from "../shared/view/row.ts";

/** The view database can't be read now: it is not there yet, or of another schema version. */
export class ViewsUnavailable extends Error {
  override readonly name = "ViewsUnavailable";
}

/** The read side of the view database. */
export interface Views {
  /** One lead's row as it is now, by one read. @throws ViewsUnavailable */
  read(leadId: string): LeadViewRow | undefined;
  /** Drawn once per database file; part of every ETag. @throws ViewsUnavailable */
  epoch(): string;
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
  const stopFollowing = followServing(databaseDir, () => {
    const old = open;
    open = undefined;
    old?.close();
  });
  return {
    read: (leadId) => opened().read(leadId),
    epoch: () => opened().epoch,
    lastChange: () => opened().lastChange.get() as number,
    changes: (after, most, workspaceId) =>
      workspaceId === undefined
        ? opened().changes.all(after, most)
        : opened().workspaceChanges.all(workspaceId, after, most),
    positions: () => opened().positions.all(),
    close() {
      stopFollowing();
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
    const epoch = db
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'epoch'")
      .pluck()
      .get() as string;
    const reader = createRowReader(db, cacheBytes);
    const positions = db.prepare<[], FoldedPosition>(
      'SELECT topic, "partition", next_offset AS nextOffset FROM position',
    );
    return {
      epoch,
      ...reader,
      positions,
      lastChange: db.prepare<[], number>("SELECT coalesce(max(seq), 0) FROM change").pluck(),
      changes: db.prepare<[number, number], ChangeRow>(SELECT_CHANGES),
      workspaceChanges: db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES),
    };
  } catch (cause) {
    db?.close();
    throw new ViewsUnavailable(`the view database can't be read: ${(cause as Error).message}`);
  }
}

/**
 * Reads rows. Each read asks the database for the lead's version, which its index holds; the body is taken from there
 * only where this process has not got that version in memory: measured, copying a body out of the database costs more
 * than all else that a read does.
 */
function createRowReader(db: Connection, cacheBytes: number) {
  const versionOf = db.prepare<[string], number>("SELECT version FROM lead_view WHERE lead_id = ?").pluck();
  const select = db.prepare<[string], LeadViewRow>(SELECT_LEAD_VIEW);
  const begin = db.prepare("BEGIN");
  const commit = db.prepare("COMMIT");
  const cache = new LRUCache<string, LeadViewRow>({
    maxSize: cacheBytes,
    sizeCalculation: ({ body }, leadId) => body.length + leadId.length + OVERHEAD_BYTES,
  });
  let ending: NodeJS.Immediate | undefined;
  const end = () => {
    ending = undefined;
    commit.run();
  };
  return {
    read(leadId: string): LeadViewRow | undefined {
      // Reads of one turn of the event loop share a snapshot, and so the cost of taking it.
      if (ending === undefined) {
        begin.run();
        ending = setImmediate(end);
      }
      const version = versionOf.get(leadId);
      if (version === undefined) return undefined;
      const known = cache.get(leadId);
      if (known?.version === version) return known;
      const row = select.get(leadId) as LeadViewRow;
      cache.set(leadId, row);
      return row;
    },
    close(): void {
      clearImmediate(ending);
      if (ending !== undefined) end();
      db.close();
    },
  };
}

/** About what a cached row takes beside its body. */
const OVERHEAD_BYTES = 400;
