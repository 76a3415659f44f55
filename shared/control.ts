import { existsSync } from "node:fs";
import { join } from "node:path";
import { wallClock } from "./clock.ts";
import { type Connection, openReader, openWriter, setUp } from "./sqlite.ts";

/** What is asked of the owner of a folder, and what the owner says of itself. */
export const controlFile = (databaseDir: string): string => join(databaseDir, "control.sqlite");

/** How the owner of the views is doing, as it says itself every second. */
export interface OwnerStatus {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly heartbeatAt: number;
  /** Why it is not ready; null where it is. */
  readonly reason: string | null;
  /** Records that are not folded yet. */
  readonly lag: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS owner (
    one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL, started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL, reason TEXT, lag INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS turn (one INTEGER PRIMARY KEY CHECK (one = 1), owns INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, arguments TEXT NOT NULL, asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL, state TEXT NOT NULL, progress TEXT, result TEXT, error TEXT, cancel INTEGER NOT NULL DEFAULT 0
  ) STRICT`;

/**
 * Opens the control database for whoever asks or owns, creating it where there is none.
 * @param waitMs how long a statement waits where somebody else writes; the owner, whose fold would wait with it, tries
 *   again later instead
 */
export function openControl(
  databaseDir: string,
  { waitMs }: { readonly waitMs?: number | undefined } = {},
): Connection {
  return setUp(openWriter(controlFile(databaseDir)), (db) => {
    db.pragma("wal_autocheckpoint = 200");
    db.exec(SCHEMA);
    if (waitMs !== undefined) db.pragma(`busy_timeout = ${waitMs}`);
  });
}

export const SELECT_OWNER =
  "SELECT pid, started_at AS startedAt, heartbeat_at AS heartbeatAt, reason, lag FROM owner";

/**
 * Whose turn it is where databases take turns: 1 this folder's, 0 another one's, null not known (the projector starts, or
 * has stopped). And when its projector was last heard of.
 */
export const SELECT_TURN =
  "SELECT turn.owns, owner.heartbeat_at AS heartbeatAt FROM turn, owner WHERE turn.one = 1 AND owner.one = 1";

/** A heart that is older, or further ahead, than this beats no more. Milliseconds. */
export const HEARTBEAT_LIMIT_MS = 5_000;

/** Says whether views are kept up to date (rule: ready tells the truth). */
export interface Readiness {
  /** Why they are not; undefined where they are. */
  reason(): string | undefined;
  close(): void;
}

const NO_OWNER = "no projector is at work in this DATABASE_DIR; start one";

/** Follows what the owner of a folder says of itself. */
export function createReadiness(databaseDir: string, now: () => number = wallClock): Readiness {
  let open: { readonly db: Connection; status(): OwnerStatus | undefined } | undefined;
  const close = () => {
    open?.db.close();
    open = undefined;
  };
  const status = (): OwnerStatus | undefined => {
    if (!open) {
      const file = controlFile(databaseDir);
      if (!existsSync(file)) return undefined;
      const db = openReader(file);
      const select = db.prepare<[], OwnerStatus>(SELECT_OWNER);
      open = { db, status: () => select.get() };
    }
    return open.status();
  };
  return {
    reason() {
      try {
        const found = status();
        if (!found) return NO_OWNER;
        if (Math.abs(now() - found.heartbeatAt) <= HEARTBEAT_LIMIT_MS) return found.reason ?? undefined;
        // The file may have been replaced, as by a restored copy: the next look opens what is there then.
        close();
        const since = new Date(found.heartbeatAt).toISOString();
        return `the projector has not been heard of since ${since}; ${NO_OWNER}`;
      } catch (error) {
        close();
        return `the projector's state can't be read: ${(error as Error).message}`;
      }
    },
    close,
  };
}
