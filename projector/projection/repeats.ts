import { type End, type Position, partitionName } from "../source/source.ts";

/**
 * Tells whether events are still to come that an earlier session of the same database may have folded, and told others of,
 * before all that was lost by a power cut, or by an older copy in its place: those that the log held already when this
 * session began. They are over in all partitions at once: an event of one that is done may touch a lead, and leave its view
 * as it was, before those of another one touch it again.
 */
export interface Repeats {
  /** True where some may come behind these positions. Once it is false it stays so. @param positions of all partitions */
  mayCome(positions: Iterable<Position>): boolean;
  /** True where none come behind these positions: to ask of what is committed. @param positions of all partitions */
  areOver(positions: Iterable<Position>): boolean;
}

/** @param ends where the partitions end, as far as the log has told */
export function createRepeats(ends: () => readonly End[]): Repeats {
  /** Where the partitions ended when that was told first: what is appended since is no repeat. */
  const began = new Map<string, number>();
  let isPassed = false;
  const areOver = (positions: Iterable<Position>): boolean => {
    if (!isPassed)
      for (const one of ends()) {
        const name = partitionName(one);
        if (!began.has(name)) began.set(name, one.end);
      }
    const reached = new Map([...positions].map((one) => [partitionName(one), one.nextOffset]));
    return began.size > 0 && [...began].every(([name, end]) => (reached.get(name) ?? 0) >= end);
  };
  return {
    mayCome(positions) {
      isPassed ||= areOver(positions);
      return !isPassed;
    },
    areOver,
  };
}
