import { wallClock } from "../../shared/clock.ts";
import type { Connection } from "../../shared/sqlite.ts";
import { durably } from "../store/durably.ts";

export type RequestState = "waiting" | "running" | "done" | "failed";

/** What somebody asked the owner to do. */
export interface Request {
  readonly id: number;
  readonly kind: string;
  /** JSON. */
  readonly arguments: string;
  readonly askedBy: string;
  /** Milliseconds since 1970. */
  readonly askedAt: number;
  readonly state: RequestState;
  /** JSON of `Progress`; null before there is any. */
  readonly progress: string | null;
  /** JSON; null where there is none yet, or it was read already. */
  readonly result: string | null;
  readonly error: string | null;
  /** 1 where it was asked to stop. */
  readonly cancel: number;
}

/** How far a request is: `done` of `total` in a phase that its name says. */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

const COLUMNS =
  "id, kind, arguments, asked_by AS askedBy, asked_at AS askedAt, state, progress, result, error, cancel";
const MOST_KEPT = 200;

/** The requests to a folder's owner: whoever asks writes a row, the owner carries it out and says how it went. */
export function createRequests(db: Connection, now: () => number = wallClock) {
  const insert = db.prepare<[string, string, string, number]>(
    "INSERT INTO request (kind, arguments, asked_by, asked_at, state) VALUES (?, ?, ?, ?, 'waiting')",
  );
  const trim = db.prepare<[number]>("DELETE FROM request WHERE id <= ? AND state IN ('done', 'failed')");
  const get = db.prepare<[number], Request>(`SELECT ${COLUMNS} FROM request WHERE id = ?`);
  const next = db.prepare<[string, number], Request>(
    `SELECT ${COLUMNS} FROM request
     WHERE state = 'waiting' AND (kind IN (SELECT value FROM json_each(?))) = ? ORDER BY id LIMIT 1`,
  );
  const begin = db.prepare<[number]>(
    "UPDATE request SET state = 'running' WHERE id = ? AND state = 'waiting'",
  );
  const progress = db.prepare<[string, number]>("UPDATE request SET progress = ? WHERE id = ?");
  const done = db.prepare<[string, number]>("UPDATE request SET state = 'done', result = ? WHERE id = ?");
  const failed = db.prepare<[string, number]>("UPDATE request SET state = 'failed', error = ? WHERE id = ?");
  const abandon = db.prepare(
    "UPDATE request SET state = 'failed', error = 'the projector ended before it was done; ask again' WHERE state = 'running'",
  );
  const forget = db.prepare<[number]>("UPDATE request SET result = NULL WHERE id = ?");
  const cancel = db.prepare<[number]>(
    `UPDATE request SET cancel = 1, error = iif(state = 'waiting', 'stopped before it began', error),
       state = iif(state = 'waiting', 'failed', state) WHERE id = ? AND state IN ('waiting', 'running')`,
  );
  return {
    /** @returns the request's number */
    add(kind: string, args: object, askedBy: string): number {
      const id = Number(insert.run(kind, JSON.stringify(args), askedBy, now()).lastInsertRowid);
      trim.run(id - MOST_KEPT);
      return id;
    },
    get: (id: number): Request | undefined => get.get(id),
    /**
     * The request that is to be carried out next.
     * @param kinds of these kinds, or, where `among` is false, of all others
     */
    next: (kinds: Iterable<string> = [], among = false): Request | undefined =>
      next.get(JSON.stringify([...kinds]), Number(among)),
    /**
     * On the disk before anything is done: so that after a power cut nothing is done twice.
     * @returns false where somebody else has begun it, or it was asked to stop before
     */
    begin: (id: number): boolean => durably(db, () => begin.run(id).changes === 1),
    progress: (id: number, made: Progress): void => void progress.run(JSON.stringify(made), id),
    done: (id: number, result: unknown): void => void done.run(JSON.stringify(result ?? null), id),
    failed: (id: number, error: string): void => void failed.run(error, id),
    /** What a dead owner was at is over. */
    abandonRunning: (): void => void abandon.run(),
    /** A result may hold a secret: once read it is kept no longer. */
    forgetResult: (id: number): void => void forget.run(id),
    /** Asks it to stop; one that has not begun is over. @returns false where it has ended, or there is none */
    cancel: (id: number): boolean => cancel.run(id).changes === 1,
  };
}

export type Requests = ReturnType<typeof createRequests>;
