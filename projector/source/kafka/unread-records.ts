import { monotonic } from "../../../shared/clock.ts";
import { type End, type Position, partitionName } from "../source.ts";

/**
 * Milliseconds after which a partition that did not move is no longer waited for: what it holds is an open transaction,
 * or the broker is slow with it.
 */
const MOVING_MS = 5_000;

interface Seen extends End {
  readonly movedAt: number;
}

type Partition = Pick<Position, "topic" | "partition">;

/** Keeps count of what the log still holds beyond the positions, as far as the broker has told. */
export function createUnreadRecords() {
  const seen = new Map<string, Seen>();
  return {
    /** Forgets the partitions of an earlier assignment. */
    clear: (): void => seen.clear(),
    /** The broker told a partition's end when asked. */
    told(partition: Partition, end: number): void {
      const name = partitionName(partition);
      seen.set(name, { ...partition, end, movedAt: seen.get(name)?.movedAt ?? monotonic() });
    },
    /** The partition moved, and its end was told with the records. */
    moved({ topic, partition }: Partition, end: number): void {
      seen.set(partitionName({ topic, partition }), { topic, partition, end, movedAt: monotonic() });
    },
    ends: (): readonly End[] => [...seen.values()],
    /** False where a partition has not moved for a while: what it still holds is an open transaction. */
    moves: (partition: Partition): boolean => {
      const movedAt = seen.get(partitionName(partition))?.movedAt;
      return movedAt === undefined || movedAt > monotonic() - MOVING_MS;
    },
    /** Records beyond the positions, in all partitions that are moving. */
    records(positions: readonly Position[]): number {
      const since = monotonic() - MOVING_MS;
      return positions.reduce((sum, position) => {
        const known = seen.get(partitionName(position));
        return known && known.movedAt > since ? sum + Math.max(0, known.end - position.nextOffset) : sum;
      }, 0);
    },
  };
}
