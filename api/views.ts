import { every } from "../shared/clock.ts";
import { createServingPointer, viewFile } from "../shared/generation.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";
import { type ChangeRow, SELECT_CHANGE } from "../shared/view/change.ts";
import { DATABASE_VERSION } from "../shared/view/row.ts";
import { type Changes, createChanges } from "./changes.ts";
import { type Commits, watchCommits } from "./commits.ts";
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
  /** The changes that there are now. @throws ViewsUnavailable, as do its functions where the database is exchanged */
  changes(): Changes;
  /** A lead's latest change, with its view. @throws ViewsUnavailable */
  change(leadId: string): ChangeRow | undefined;
  /** How far the events are folded; a read after it is no older. @throws ViewsUnavailable */
  positions(): readonly FoldedPosition[];
  /**
   * True on a replica that knows of a later change of the workspace's lead than it has: a view that was larger than the
   * topic of views takes. @throws ViewsUnavailable
   */
  isIncomplete(leadId: string, workspaceId: string): boolean;
  /** True where the lead's change of that number is here, or a later one; a read after it is no older. @throws ViewsUnavailable */
  hasChange(leadId: string, number: number): boolean;
  /** SQLite's number of the last commit: another one where anything was written since. @throws ViewsUnavailable */
  lastCommit(): number;
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
  const pointer = createServingPointer(databaseDir);
  const follow = () => {
    if (!pointer.changed()) return;
    const old = open;
    open = undefined;
    old?.close();
  };
  const opened = () => {
    // Another process may serve the next generation already: no reader of both is to see a number go back.
    if (open?.isSuperseded()) follow();
    open ??= openServing(databaseDir, cacheBytes);
    return open;
  };
  const following = every(FOLLOW_MS, follow).unref();
  return {
    read: (leadId) => opened().read(leadId),
    // A row of a database that was left is in no memory any more.
    grow: (row, bytes) => open?.grow(row, bytes),
    find: (query) => opened().find(query),
    require: () => void opened(),
    changes: () => opened().changes,
    change: (leadId) => opened().change.get(leadId),
    positions: () => opened().positions(),
    isIncomplete: (leadId, workspaceId) => opened().isIncomplete(leadId, workspaceId),
    lastCommit: () => opened().lastCommit(),
    hasChange: (leadId, number) => opened().hasChange(leadId, number),
    close() {
      following.stop();
      open?.close();
    },
  };
}

const FOLLOW_MS = 100;

function openServing(databaseDir: string, cacheBytes: number) {
  let db: Connection | undefined;
  try {
    db = openReader(viewFile({ databaseDir }));
    return openChecked(db, cacheBytes);
  } catch (cause) {
    db?.close();
    throw new ViewsUnavailable(`the view database can't be read: ${(cause as Error).message}`);
  }
}

function openChecked(db: Connection, cacheBytes: number) {
  requireVersion(db.pragma("user_version", { simple: true }) as number);
  const commits = watchCommits(db);
  const changes = createChanges(db);
  const rows = createRowReader(db, commits, changes, cacheBytes);
  return {
    read: rows.read,
    grow: rows.grow,
    isSuperseded: createSupersededReader(db, commits),
    find: createFindLeads(db),
    positions: createPositionReader(db, commits),
    changes,
    isIncomplete: createIncompleteReader(db, commits),
    lastCommit: commits.ofNow,
    hasChange(leadId: string, number: number): boolean {
      const found = changes.head(leadId)?.number ?? 0;
      const has = found >= number || changes.reach().resume >= number;
      // What is read next is of this commit, or of a later one.
      commits.ofNow();
      return has;
    },
    change: db.prepare<[string], ChangeRow>(SELECT_CHANGE),
    close() {
      rows.close();
      commits.close();
      db.close();
    },
  };
}

function requireVersion(version: number): void {
  if (version === DATABASE_VERSION) return;
  const what =
    version > DATABASE_VERSION
      ? "it was made by a newer program: run that one"
      : "it was made by an older program: npx lead-view rebuild makes it anew";
  throw new Error(`${what} (schema version ${version}; this program reads ${DATABASE_VERSION})`);
}

/** Tells whether another generation is about to serve, or serves: the owner notes it before it moves the pointer. */
function createSupersededReader(db: Connection, commits: Commits): () => boolean {
  const select = db.prepare<[], number>("SELECT 1 FROM meta WHERE name = 'superseded'").pluck();
  let asOf: number | undefined;
  let superseded = false;
  return () => {
    const commit = commits.ofTurn();
    if (commit !== asOf) {
      asOf = commit;
      superseded = select.get() !== undefined;
    }
    return superseded;
  };
}

/** Looks a lead up among those that a replica could not take in; only where there are any, which each commit may change. */
function createIncompleteReader(
  db: Connection,
  commits: Commits,
): (leadId: string, workspaceId: string) => boolean {
  const any = db.prepare<[], unknown>("SELECT 1 FROM set_aside WHERE relay = 'replica' LIMIT 1");
  const of = db.prepare<[string, string], unknown>(
    "SELECT 1 FROM set_aside WHERE relay = 'replica' AND name = ? AND lane = ?",
  );
  let asOf: number | undefined;
  let isAny = false;
  return (leadId, workspaceId) => {
    const commit = commits.ofTurn();
    if (commit !== asOf) {
      asOf = commit;
      isAny = any.get() !== undefined;
    }
    return isAny && of.get(leadId, workspaceId) !== undefined;
  };
}

/** Reads how far the events are folded; again only where something was committed. */
function createPositionReader(db: Connection, commits: Commits): () => readonly FoldedPosition[] {
  const select = db.prepare<[], FoldedPosition>(
    'SELECT topic, "partition", next_offset AS nextOffset FROM position',
  );
  let asOf: number | undefined;
  let positions: readonly FoldedPosition[] = [];
  return () => {
    const commit = commits.ofNow();
    if (commit !== asOf) {
      positions = select.all();
      asOf = commit;
      // They may be of a later commit than was asked for before: no row is read from before that one.
      commits.ofNow();
    }
    return positions;
  };
}
