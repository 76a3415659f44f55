import { wallClock } from "../../shared/clock.ts";
import { type Batch, type End, NO_TIMESTAMP, type Position, partitionName } from "../source/source.ts";

/** How far a partition is folded. */
export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record to fold. */
  readonly nextOffset: number;
  /** The offset that the next record in the log will have. */
  readonly end: number;
  /** Records that are not folded yet. */
  readonly records: number;
  /**
   * Seconds since the oldest of them was produced, at most: it came after the last one that was folded, and after the
   * last time that the partition was seen without any. Where neither ever was, since this projector began.
   */
  readonly seconds: number;
  /** False where nothing of it was folded yet, nor was it seen without any left: then `seconds` says little. */
  readonly measured: boolean;
}

interface Seen {
  /** Milliseconds since 1970, of the last folded record. */
  foldedTimestamp: number;
  /** Milliseconds since 1970 at which nothing was left to fold. */
  drainedAt: number;
}

/** Measures lag from positions, the log's ends, and what was seen before. */
export function createLag(now: () => number = wallClock) {
  const began = now();
  const seen = new Map<string, Seen>();
  const of = (partition: Pick<Position, "topic" | "partition">): Seen => {
    const name = partitionName(partition);
    const known = seen.get(name) ?? { foldedTimestamp: 0, drainedAt: 0 };
    seen.set(name, known);
    return known;
  };
  return {
    /** A batch was folded. */
    folded({ records }: Batch): void {
      for (const [index, record] of records.entries()) {
        const next = records[index + 1];
        if (next?.topic === record.topic && next.partition === record.partition) continue;
        if (record.timestamp !== NO_TIMESTAMP) of(record).foldedTimestamp = record.timestamp;
      }
    },
    measure(positions: readonly Position[], ends: readonly End[]): PartitionLag[] {
      const nextOffsets = new Map(
        positions.map((position) => [partitionName(position), position.nextOffset] as const),
      );
      return ends.map(({ topic, partition, end }) => {
        const nextOffset = nextOffsets.get(partitionName({ topic, partition })) ?? 0;
        const records = Math.max(0, end - nextOffset);
        const known = of({ topic, partition });
        if (records === 0) known.drainedAt = now();
        const seenAt = Math.max(known.foldedTimestamp, known.drainedAt);
        const since = seenAt || began;
        const seconds = records === 0 ? 0 : Math.max(0, (now() - since) / 1_000);
        return {
          topic,
          partition,
          nextOffset,
          end: Math.max(end, nextOffset),
          records,
          seconds,
          measured: seenAt > 0,
        };
      });
    },
  };
}
