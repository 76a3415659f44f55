import { followServing, viewFile } from "../shared/generation.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";
import {
  type ChangeRow,
  SELECT_CHANGES,
  SELECT_LAST_NUMBER,
  SELECT_WORKSPACE_CHANGES,
} from "../shared/view/change.ts";
import { DATABASE_VERSION } from "../shared/view/row.ts";
import { createFindLeads, type FindLeads } from "./find-leads.ts";
import { createRowReader, type HeldRow } from "./rows.ts";

/** The view database can't be read now: it is not there yet, or of another schema version. */
export class ViewsUnavailable extends Error {
  override readonly name = "ViewsUnavailable";
}

/** The read side of the view database. */
export interface Views {
  /** One lead's row as it is now, by one read. @throws ViewsUnavailable */
  read(leadId: string): HeldRow | undefined;
  /** Notes that a row takes so many bytes more in memory than it did. */
  grow(row: HeldRow, bytes: number): void;
  /** @throws ViewsUnavailable */
  find: FindLeads;
  /** @throws ViewsUnavailable where no views can be read */
  require(): void;
  /** The number of the latest change of any lead. @throws ViewsUnavailable */
  lastChange(): number;
  /** Changes behind a number, in order, at most so many; of one workspace, or of all. @throws ViewsUnavailable */
  changes(after: number, most: number, workspaceId?: string): ChangeRow[];
  /** How far the events are folded; a read after it is no older. @throws ViewsUnavailable */
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
    // A row of a database that was left is in no memory any more.
    grow: (row, bytes) => open?.grow(row, bytes),
    find: (query) => opened().find(query),
    require: () => void opened(),
    lastChange: () => opened().lastChange.get() as number,
    changes: (after, most, workspaceId) =>
      workspaceId === undefined
        ? opened().changes.all(after, most)
        : opened().workspaceChanges.all(workspaceId, after, most),
    positions: () => opened().positions(),
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
    requireVersion(db.pragma("user_version", { simple: true }) as number);
    const rows = createRowReader(db, cacheBytes);
    return {
      ...rows,
      find: createFindLeads(db),
      positions: createPositionReader(db, rows.refresh),
      lastChange: db.prepare<[], number>(SELECT_LAST_NUMBER).pluck(),
      changes: db.prepare<[number, number], ChangeRow>(SELECT_CHANGES),
      workspaceChanges: db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES),
    };
  } catch (cause) {
    db?.close();
    throw new ViewsUnavailable(`the view database can't be read: ${(cause as Error).message}`);
  }
}

function requireVersion(version: number): void {
  if (version === DATABASE_VERSION) return;
  const what =
    version > DATABASE_VERSION
      ? "it was made by a newer program: run that one"
      : "it was made by an older program: npm run rebuild makes it anew";
  throw new Error(`${what} (schema version ${version}; this program reads ${DATABASE_VERSION})`);
}

/** Reads how far the events are folded; again only where something was committed. */
function createPositionReader(db: Connection, refresh: () => number): () => readonly FoldedPosition[] {
  const select = db.prepare<[], FoldedPosition>(
    'SELECT topic, "partition", next_offset AS nextOffset FROM position',
  );
  let asOf: number | undefined;
  let positions: readonly FoldedPosition[] = [];
  return () => {
    const commit = refresh();
    if (commit !== asOf) {
      positions = select.all();
      asOf = commit;
      // They may be of a later commit than was asked for before: no row is read from before that one.
      refresh();
    }
    return positions;
  };
}
