import type { Connection } from "../../shared/sqlite.ts";
import { SELECT_LAST_NUMBER } from "../../shared/view/change.ts";

/** Gives the numbers of one transaction's changes, ascending. */
export type NextNumber = () => number;

/**
 * The numbers of changes (rule: one number). The next one is the larger of the last one + 1 and the wall clock in
 * microseconds: so that after a database was lost, restored from a copy or folded anew, the numbers go on above all that
 * anyone was ever told.
 * @param now milliseconds since 1970
 */
export function createNumbers(db: Connection, now: () => number) {
  const last = db.prepare<[], number>(SELECT_LAST_NUMBER).pluck();
  const save = db.prepare<[string]>("UPDATE meta SET value = ? WHERE name = 'number'");
  return {
    /** The last number that was given. */
    last: (): number => last.get() as number,
    /** Runs the work, within a transaction, and notes the last number that it took. */
    during<T>(work: (next: NextNumber) => T): T {
      const before = last.get() as number;
      let number = before;
      const result = work(() => {
        number = Math.max(number + 1, Math.floor(now() * 1_000));
        return number;
      });
      if (number !== before) save.run(String(number));
      return result;
    },
    /** From now on no number up to this one is given. */
    raise(least: number): void {
      if (least > (last.get() as number)) save.run(String(least));
    },
  };
}
