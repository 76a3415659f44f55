import {
  type Position,
  partitionName,
  type Sink,
  type Source,
  SourceError,
  type SourceRecord,
} from "../source/source.ts";

/**
 * Hands over every record before some positions, in order per partition, beside the projector, which takes no notice.
 * @throws SourceError where the log ends before them, or lost records; Error where the signal aborts
 */
export async function readHistory(
  source: Source,
  upTo: readonly Position[],
  onRecord: (record: SourceRecord) => void,
  signal?: AbortSignal,
): Promise<void> {
  const ends = new Map(upTo.map((position) => [partitionName(position), position.nextOffset]));
  const current = new Map<string, Position>();
  const reached = Promise.withResolvers<void>();
  const isReached = () =>
    [...ends].every(([name, nextOffset]) => (current.get(name)?.nextOffset ?? 0) >= nextOffset);
  const sink: Sink = {
    positions: () => [...current.values()],
    async handle({ records, positions }) {
      for (const record of records) {
        const name = partitionName(record);
        if (record.offset < (current.get(name)?.nextOffset ?? 0)) continue;
        if (record.offset < (ends.get(name) ?? 0)) onRecord(record);
      }
      for (const position of positions) current.set(partitionName(position), position);
      if (isReached()) reached.resolve();
    },
  };
  const stopping = new AbortController();
  const ending = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal;
  const reading = source.readToEnd(sink, ending);
  try {
    await Promise.race([reading, reached.promise]);
  } finally {
    stopping.abort();
    await reading.catch(() => undefined);
  }
  if (signal?.aborted) throw new Error("stopped; nothing was changed");
  if (!isReached()) throw new SourceError("the log ends before what was folded of it; restore it");
}
