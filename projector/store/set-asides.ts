import type { Connection } from "../../shared/sqlite.ts";

/** What a relay could not pass on yet, while others went on (rule: nobody blocks another). */
export interface SetAside {
  /** The lead's id, or the dead letter's position. */
  readonly name: string;
  /** What the relay keeps in order: of one lane, nothing passes what is set aside. */
  readonly lane: string;
  /** The change that waits; a later one of the same lead takes its place. 0 for a dead letter. */
  readonly number: number;
  readonly reason: string;
  readonly attempts: number;
  /** Milliseconds since 1970 of the first try. */
  readonly since: number;
  /** Milliseconds since 1970; null where only a command tries it again. */
  readonly nextTryAt: number | null;
}

/** No reason begins so. */
const NO_REASON = "\n";

/** How much a relay has set aside. */
export interface SetAsideCount {
  readonly relay: string;
  /** Tried again by themselves. */
  readonly waiting: number;
  /** Tried again by a command only. */
  readonly held: number;
  /** Milliseconds since 1970 of the first try of the longest waiting one; null where none waits. */
  readonly oldest: number | null;
}

const COLUMNS = "name, lane, number, reason, attempts, since, next_try_at AS nextTryAt";

/** Milliseconds; nobody is made to wait for longer. */
const LONGEST_MS = 3 * 86_400_000;

/** The table of what is set aside, by relay. */
export function createSetAsides(db: Connection) {
  const get = db.prepare<[string, string], SetAside>(
    `SELECT ${COLUMNS} FROM set_aside WHERE relay = ? AND name = ?`,
  );
  const put = db.prepare(
    `INSERT INTO set_aside (relay, name, lane, number, reason, attempts, since, next_try_at)
     VALUES (@relay, @name, @lane, @number, @reason, @attempts, @since, @nextTryAt)
     ON CONFLICT DO UPDATE SET lane = excluded.lane, number = max(number, excluded.number), reason = excluded.reason,
       attempts = excluded.attempts, next_try_at = excluded.next_try_at`,
  );
  const passed = db.prepare<[string, string, number]>(
    "DELETE FROM set_aside WHERE relay = ? AND name = ? AND number <= ?",
  );
  const due = db.prepare<[string, number, number, number], SetAside>(
    `SELECT ${COLUMNS} FROM set_aside WHERE relay = ? AND (next_try_at <= ? OR next_try_at > ?)
     ORDER BY next_try_at, name LIMIT ?`,
  );
  const dueOfLane = db.prepare<[string, string, number, number], SetAside>(
    `SELECT ${COLUMNS} FROM set_aside WHERE relay = ? AND lane = ? AND next_try_at <= ? ORDER BY next_try_at, name LIMIT ?`,
  );
  const laneWaits = db.prepare<[string, string], unknown>(
    "SELECT 1 FROM set_aside WHERE relay = ? AND lane = ? AND next_try_at IS NOT NULL LIMIT 1",
  );
  const list = db.prepare<[string, string, number], SetAside>(
    `SELECT ${COLUMNS} FROM set_aside WHERE relay = ? AND name > ? ORDER BY name LIMIT ?`,
  );
  const held = db.prepare<[string, string, number], SetAside>(
    `SELECT ${COLUMNS} FROM set_aside WHERE relay = ? AND name > ? AND next_try_at IS NULL ORDER BY name LIMIT ?`,
  );
  const count = db.prepare<[string], number>("SELECT count(*) FROM set_aside WHERE relay = ?").pluck();
  const counts = db.prepare<[], SetAsideCount>(
    `SELECT relay, count(next_try_at) AS waiting, count(*) - count(next_try_at) AS held,
       min(iif(next_try_at IS NULL, NULL, since)) AS oldest FROM set_aside GROUP BY relay`,
  );
  const lowest = db
    .prepare<[string, string], number | null>(
      `SELECT min(number) FROM set_aside WHERE relay = ? AND number > 0
         AND (next_try_at IS NOT NULL OR reason NOT LIKE ? || '%')`,
    )
    .pluck();
  const retry = db.prepare<[string, string]>(
    "UPDATE set_aside SET next_try_at = 0, attempts = 0 WHERE relay = ? AND name = ?",
  );
  const retryHeld = db.prepare<[string]>(
    "UPDATE set_aside SET next_try_at = 0, attempts = 0 WHERE relay = ? AND next_try_at IS NULL",
  );
  const remove = db.prepare<[string, string]>("DELETE FROM set_aside WHERE relay = ? AND name = ?");
  const removeAll = db.prepare<[string]>("DELETE FROM set_aside WHERE relay = ?");
  return {
    get: (relay: string, name: string): SetAside | undefined => get.get(relay, name),
    put: (relay: string, row: SetAside): void => void put.run({ relay, ...row }),
    /** A change up to this number was passed on: a later one of the same name still waits. */
    passed: (relay: string, name: string, number: number): void => void passed.run(relay, name, number),
    /** Those whose time has come, longest due first; or is further off than it ever was, since the clock went back. */
    due: (relay: string, now: number, most: number): SetAside[] =>
      due.all(relay, now, now + LONGEST_MS, most),
    /** The same of one lane. */
    dueOfLane: (relay: string, lane: string, now: number, most: number): SetAside[] =>
      dueOfLane.all(relay, lane, now, most),
    /** True where something of the lane waits to be tried again. */
    laneWaits: (relay: string, lane: string): boolean => laneWaits.get(relay, lane) !== undefined,
    /** By name, from behind one on. */
    list: (relay: string, after: string, most: number): SetAside[] => list.all(relay, after, most),
    /** The same of those that only a command tries again. */
    held: (relay: string, after: string, most: number): SetAside[] => held.all(relay, after, most),
    /** How many of a relay there are. */
    count: (relay: string): number => count.get(relay) as number,
    /** How many of each relay wait to be tried again, and how many only a command does. */
    counts: (): SetAsideCount[] => counts.all(),
    /**
     * The lowest number of a change that was not passed on.
     * @param passed how the reasons begin of what was passed on in another form; undefined = nothing was
     */
    lowest: (relay: string, passed?: string): number | undefined =>
      lowest.get(relay, passed ?? NO_REASON) ?? undefined,
    /** Has one tried again at once. @returns false where there is none */
    retry: (relay: string, name: string): boolean => retry.run(relay, name).changes === 1,
    /** Has all tried again that only a command does. @returns how many */
    retryHeld: (relay: string): number => retryHeld.run(relay).changes,
    /** @returns false where there is none */
    remove: (relay: string, name: string): boolean => remove.run(relay, name).changes === 1,
    removeAll: (relay: string): void => void removeAll.run(relay),
  };
}
