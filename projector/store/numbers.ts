import type { Connection } from "../../shared/sqlite.ts";
import { SELECT_LAST_NUMBER } from "../../shared/view/change.ts";

/** Gives the numbers of one transaction's changes, ascending. */
export type NextNumber = () => number;

const MICROSECONDS = 1_000;
/** More than a power cut can take: a number is a change of a view. */
const MOST_LOST = 30_000_000;

/**
 * The numbers of changes (rule: one number). The next one is the larger of the last one + 1 and the wall clock in
 * microseconds: so that after a database was lost, restored from a copy or folded anew, the numbers go on above all that
 * anyone was ever told. Where they are ahead of the clock, as behind another owner's or after it was set back, it tells
 * nothing of what was lost: then they go on well above those that are known.
 * @param now milliseconds since 1970
 */
export function createNumbers(db: Connection, now: () => number) {
  const last = db.prepare<[], number>(SELECT_LAST_NUMBER).pluck();
  const save = db.prepare<[string]>("UPDATE meta SET value = ? WHERE name = 'number'");
  /** The least that is given while this store is open; undefined before the first one. */
  let least: number | undefined;
  const leastBehind = (known: number): number =>
    known > now() * MICROSECONDS ? known + MOST_LOST : known + 1;
  return {
    /** The last number that was given. */
    last: (): number => last.get() as number,
    /** Runs the work, within a transaction, and notes the last number that it took. */
    during<T>(work: (next: NextNumber) => T): T {
      const before = last.get() as number;
      let number = before;
      const result = work(() => {
        least ??= leastBehind(before);
        number = Math.max(number + 1, least, Math.floor(now() * MICROSECONDS));
        return number;
      });
      if (number !== before) save.run(String(number));
      return result;
    },
    /** From now on no number up to this one is given. */
    raise(number: number): void {
      if (number > (last.get() as number)) save.run(String(number));
    },
  };
}
