import { isPartitionOf, ONLY_SHARD, type Shard } from "../../shared/shard.ts";

/**
 * The partitions that a reader takes, of every topic alike: those whose number leaves the worker's over the number of
 * workers (with shards, whose place among the shard's does); of these `only` some, where it is given.
 */
export interface Share {
  readonly worker: number;
  readonly of: number;
  readonly only?: readonly number[];
  /** Absent = there is only one. */
  readonly shard?: Shard;
}

/** All partitions. */
export const WHOLE: Share = { worker: 0, of: 1 };

/** The share of each of so many workers. */
export const sharesOf = (workers: number): Share[] =>
  Array.from({ length: workers }, (_, worker) => ({ worker, of: workers }));

export const takes = ({ worker, of, only, shard = ONLY_SHARD }: Share, partition: number): boolean =>
  isPartitionOf(shard, partition) &&
  Math.floor(partition / shard.count) % of === worker &&
  (only === undefined || only.includes(partition));
