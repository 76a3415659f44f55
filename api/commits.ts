import { atNextTurn, type Timer } from "../shared/clock.ts";
import type { Connection } from "../shared/sqlite.ts";

/** Tells one commit of a database from the next, by a number of SQLite's. */
export interface Commits {
  /** The last commit, looked up once a turn of the event loop: what a turn reads is as of its beginning, or newer. */
  ofTurn(): number;
  /** The last commit now, for the rest of this turn too. */
  ofNow(): number;
  close(): void;
}

export function watchCommits(db: Connection): Commits {
  const select = db.prepare<[], number>("PRAGMA data_version").pluck();
  let last = -1;
  let turn: Timer | undefined;
  const end = () => {
    turn = undefined;
  };
  return {
    ofTurn() {
      if (turn === undefined) {
        last = select.get() as number;
        turn = atNextTurn(end);
      }
      return last;
    },
    ofNow() {
      // Asked from a timer, this is before the requests of the turn came in: they ask again.
      turn?.stop();
      turn = undefined;
      last = select.get() as number;
      return last;
    },
    close: () => turn?.stop(),
  };
}
