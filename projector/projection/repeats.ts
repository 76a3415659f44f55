import { type End, type Position, partitionName } from "../source/source.ts";

/**
 * Tells which events an earlier session of the same database may have folded, and told others of, before all that was lost
 * by a power cut, or by an older copy in its place: those that the log held already when this session began.
 */
export interface Repeats {
  /** True where some of what leads to these positions may be such. To be called once for each batch. */
  among(positions: readonly Position[]): boolean;
  /** True once everything is folded that may be such. @param positions of all partitions */
  areOver(positions: readonly Position[]): boolean;
}

/** @param ends where the partitions end, as far as the log has told */
export function createRepeats(ends: () => readonly End[]): Repeats {
  /** Partitions that were folded up to their ends once. */
  const over = new Set<string>();
  return {
    among(positions) {
      const begun = positions.filter((position) => !over.has(partitionName(position)));
      if (begun.length === 0) return false;
      const known = new Map(ends().map((one) => [partitionName(one), one.end]));
      for (const position of begun) {
        const name = partitionName(position);
        if (position.nextOffset >= (known.get(name) ?? Number.POSITIVE_INFINITY)) over.add(name);
      }
      return true;
    },
    areOver(positions) {
      const all = ends();
      const reached = new Map(positions.map((one) => [partitionName(one), one.nextOffset]));
      const isOver = (one: End) =>
        over.has(partitionName(one)) || (reached.get(partitionName(one)) ?? 0) >= one.end;
      return all.length > 0 && all.every(isOver);
    },
  };
}
