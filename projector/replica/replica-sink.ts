import { wallClock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { Gate } from "../projection/gate.ts";
import { persistently } from "../projection/persistently.ts";
import { readFloorRecord } from "../publish/floor-record.ts";
import {
  type Batch,
  type Position,
  partitionName,
  recordPositionName,
  type Sink,
  type SourceRecord,
} from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { type Applied, applyRecord, sweepUnconfirmed } from "./apply-record.ts";
import type { Floors } from "./floors.ts";
import { FLOORS, VIEWS } from "./followed-topics.ts";

export interface ReplicaSinkParts {
  readonly store: Store;
  readonly floors: Floors;
  /** True where views that are larger than the topic takes are fetched. */
  readonly fetchesLarge: boolean;
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
  const { store, floors, fetchesLarge, gate, log, signal, onBatch, onTrouble, onErased } = parts;

  const commit = (batch: Batch): Taken => {
    const erases = store.unconfirmed.any() || batch.records.some(({ value }) => value === null);
    try {
      return (erases ? store.erasing : store.transaction)(() => {
        const applied = batch.records.filter(isFresh(store.positions.all())).flatMap((record) => {
          if (record.topic === VIEWS)
            return [[record, applyRecord(store, record, floors.number(), fetchesLarge)] as const];
          noteFloor(record);
          return [];
        });
        for (const position of batch.positions) store.positions.put(position);
        floors.settle(readTo(store.positions.all()));
        const swept = sweepUnconfirmed(store, floors.number());
        store.arrivals.prune();
        noteReading(store);
        return { applied, erases: swept > 0 || applied.some(([, what]) => what === "erased") };
      });
    } catch (error) {
      floors.forget();
      throw error;
    }
  };

  const noteFloor = (record: SourceRecord): void => {
    try {
      floors.note(readFloorRecord(record));
    } catch (error) {
      log.warn(
        { record: recordPositionName(record), error: (error as Error).message },
        "it says of no floor",
      );
    }
  };

  return {
    positions: () => store.positions.all().filter(({ topic }) => topic === VIEWS || topic === FLOORS),
    handle: (batch) =>
      gate.during(async () => {
        const place = () => (batch.records[0] ? recordPositionName(batch.records[0]) : "");
        const running = { log, signal, onTrouble };
        const done = await persistently(() => commit(batch), running, batch.keepAlive, place);
        if (!done) return;
        onTrouble(undefined);
        onBatch(batch);
        const { applied, erases } = done.result;
        if (erases) onErased();
        for (const [record, what] of applied) {
          if (what !== "set aside") continue;
          const { partition, offset } = record;
          log.warn({ partition, offset }, "a view can't be taken in; it is listed (lead-view relays)");
        }
      }),
  };
}

interface Taken {
  readonly applied: readonly (readonly [SourceRecord, Applied])[];
  readonly erases: boolean;
}

/** The name, among the relays' positions, of the time at which the topics were read last, in milliseconds since 1970. */
const READ_AT = "replica:read_at";
const NOTE_MS = 1_000;

function noteReading({ relays }: Store): void {
  const now = wallClock();
  if (Math.abs(now - relays.position(READ_AT)) > NOTE_MS) relays.advance(READ_AT, now);
}

/** When the topics were read last, in milliseconds since 1970; 0 where they never were. */
export const lastReading = ({ relays }: Store): number => relays.position(READ_AT);

/** Has the topics read anew from their beginning; what is served goes on being served, and numbers don't go back. */
export function readAnew(store: Store, floors: Floors): void {
  store.transaction(() => {
    for (const topic of [VIEWS, FLOORS]) store.positions.removeTopic(topic);
    store.unconfirmed.addAll();
    // What was reached says nothing of what is read now.
    floors.drop();
  });
  floors.forget();
}

/** Records that were not taken in before. */
function isFresh(positions: readonly Position[]): (record: SourceRecord) => boolean {
  const next = new Map(positions.map((one) => [partitionName(one), one.nextOffset]));
  return (record) => record.offset >= (next.get(partitionName(record)) ?? 0);
}

const readTo = (positions: readonly Position[]): ReadonlyMap<number, number> =>
  new Map(
    positions
      .filter(({ topic }) => topic === VIEWS)
      .map(({ partition, nextOffset }) => [partition, nextOffset]),
  );
