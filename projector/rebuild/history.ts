import type { Decode, Decoded } from "../decode/decode.ts";
import {
  type Position,
  partitionName,
  type Sink,
  type Source,
  SourceError,
  type SourceRecord,
} from "../source/source.ts";

/** The log, read from its first record on beside the projector, which takes no notice. */
export interface History {
  /** Where the reader is. */
  positions(): readonly Position[];
  /**
   * Waits until everything before these positions was handed over.
   * @throws SourceError where the log ends before, or lost records
   */
  reached(positions: readonly Position[]): Promise<void>;
  stop(): Promise<void>;
}

/** Hands over every record from the start of the log, in order per partition, and goes on until it is stopped. */
export function readHistory(source: Source, onRecord: (record: SourceRecord) => void): History {
  const current = new Map<string, Position>();
  const stopping = new AbortController();
  let waiting: { readonly positions: readonly Position[]; readonly resolve: () => void } | undefined;
  const isReached = (positions: readonly Position[]) =>
    positions.every(
      (position) => (current.get(partitionName(position))?.nextOffset ?? 0) >= position.nextOffset,
    );

  const sink: Sink = {
    positions: () => [...current.values()],
    reset: () => undefined,
    async handle({ records, positions }) {
      for (const record of records) {
        if (record.offset >= (current.get(partitionName(record))?.nextOffset ?? 0)) onRecord(record);
      }
      for (const position of positions) current.set(partitionName(position), position);
      if (waiting && isReached(waiting.positions)) waiting.resolve();
    },
  };
  const running = source.run(sink, stopping.signal);
  running.catch(() => undefined);

  return {
    positions: sink.positions,
    async reached(positions) {
      if (isReached(positions)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = { positions, resolve };
      await Promise.race([promise, running]);
      if (!isReached(positions))
        throw new SourceError("the history ends before what was folded; it is not this one's");
    },
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
    },
  };
}

/** What a record says; undefined for one that is no event, and so belongs to no lead. */
export function decodedOf(decode: Decode, record: SourceRecord): Decoded | undefined {
  try {
    return decode(record);
  } catch {
    return undefined;
  }
}
