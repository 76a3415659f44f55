import type { Logger } from "../../shared/log.ts";
import type { Gate } from "../projection/gate.ts";
import { persistently } from "../projection/run.ts";
import { type Batch, recordPositionName, type Sink, type SourceRecord } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { type Applied, applyRecord } from "./apply-record.ts";

export interface ReplicaSinkParts {
  readonly store: Store;
  /** Keeps apart what must not happen in the middle of a batch. */
  readonly gate: Gate;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onBatch: (batch: Batch) => void;
  /** Told why the database can't be used, and, with undefined, when it can again. */
  readonly onTrouble: (reason: string | undefined) => void;
  /** Told after a commit that erased. */
  readonly onErased: () => void;
}

/** Takes records of the topic of views into the replica's rows; positions commit with the rows. */
export function createReplicaSink(parts: ReplicaSinkParts): Sink {
  const { store, gate, log, signal, onBatch, onTrouble, onErased } = parts;

  const commit = (batch: Batch): readonly (readonly [SourceRecord, Applied])[] => {
    const erases = batch.records.some(({ value }) => value === null);
    return (erases ? store.erasing : store.transaction)(() => {
      const stored = new Map(
        store.positions.all().map((one) => [`${one.topic}/${one.partition}`, one.nextOffset]),
      );
      const fresh = batch.records.filter(
        ({ topic, partition, offset }) => offset >= (stored.get(`${topic}/${partition}`) ?? 0),
      );
      const applied = fresh.map((record) => [record, applyRecord(store, record, 0)] as const);
      for (const position of batch.positions) store.positions.put(position);
      store.arrivals.prune();
      return applied;
    });
  };

  return {
    positions: () => store.positions.all(),
    handle: (batch) =>
      gate.during(async () => {
        const place = () => (batch.records[0] ? recordPositionName(batch.records[0]) : "");
        const running = { log, signal, onTrouble };
        const done = await persistently(() => commit(batch), running, batch.keepAlive, place);
        if (!done) return;
        onBatch(batch);
        if (done.result.some(([, applied]) => applied === "erased")) onErased();
        for (const [record, applied] of done.result) {
          if (applied !== "set aside") continue;
          const { partition, offset } = record;
          log.warn({ partition, offset }, "a view can't be taken in; it is listed (lead-view relays)");
        }
      }),
  };
}
