import type { Projection } from "../projection/projection.ts";
import { type Batch, type Position, partitionName, type Sink, type SourceRecord } from "../source/source.ts";

/** A sink that folds up to a limit and waits there until the limit is raised. */
export interface HeldBackSink extends Sink {
  /** Raises the limit: the positions that may be reached, and no further. */
  raise(limit: readonly Position[]): void;
  /** Waits until everything below the limit is folded and committed. */
  reached(): Promise<void>;
  /** Lets go of what waits above the limit: its source has been told to end. */
  release(): void;
}

const MOST_PENDING = 100_000;

/**
 * What is done with records above the limit: they wait, so that the source comes no further; or they are left to
 * another source that has them too.
 */
export type Beyond = "wait" | "leave";

/**
 * Folds into a generation that is not to overtake the serving one: at the moment of the switch both stand at the same
 * positions, so that their views can be compared byte by byte.
 */
export function createHeldBackSink(
  projection: Projection,
  onFolded: (records: number) => void,
  beyondLimit: Beyond = "wait",
): HeldBackSink {
  let limit = new Map<string, number>();
  let released = false;
  let raised = Promise.withResolvers<void>();
  const progressed = new Set<() => void>();

  const limitOf = (position: { readonly topic: string; readonly partition: number }) =>
    limit.get(partitionName(position)) ?? 0;
  const isReached = () => {
    const current = new Map(
      projection.positions().map((position) => [partitionName(position), position.nextOffset]),
    );
    return [...limit].every(([name, nextOffset]) => (current.get(name) ?? 0) >= nextOffset);
  };
  const commit = () => {
    const { records } = projection.commit();
    if (records > 0) onFolded(records);
    for (const look of progressed) look();
  };

  const handle = async ({ records, positions, more, keepAlive }: Batch): Promise<void> => {
    let waiting: readonly SourceRecord[] = records;
    for (;;) {
      const beyond: SourceRecord[] = [];
      const cut = new Map<string, Position>();
      for (const record of waiting) {
        if (record.offset >= limitOf(record)) {
          beyond.push(record);
          continue;
        }
        projection.fold(record);
        const { topic, partition, offset } = record;
        cut.set(partitionName(record), { topic, partition, nextOffset: offset + 1, cursor: null });
      }
      const held = new Set(beyond.map(partitionName));
      projection.advance([...cut].filter(([name]) => held.has(name)).map(([, position]) => position));
      projection.advance(positions.filter((position) => !held.has(partitionName(position))));
      if (!more || beyond.length > 0 || projection.pending().records > MOST_PENDING) commit();
      if (beyond.length === 0 || beyondLimit === "leave" || released) return;
      await Promise.race([raised.promise, pause()]);
      if (released) return;
      await keepAlive?.();
      waiting = beyond;
    }
  };

  return {
    positions: projection.positions,
    reset: projection.reset,
    handle,
    raise(positions) {
      limit = new Map(positions.map((position) => [partitionName(position), position.nextOffset]));
      raised.resolve();
      raised = Promise.withResolvers();
    },
    release() {
      released = true;
      raised.resolve();
    },
    async reached() {
      while (!isReached() || projection.pending().records > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        progressed.add(resolve);
        await promise;
        progressed.delete(resolve);
      }
    },
  };
}

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 1_000));
