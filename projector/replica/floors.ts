import { monotonic, wallClock } from "../../shared/clock.ts";
import { FLOOR } from "../../shared/view/arrival.ts";
import type { FloorRecord } from "../publish/floor-record.ts";
import type { Store } from "../store/store.ts";
import { REPLICA_RELAY } from "./apply-record.ts";

/** Milliseconds after which a shard that says nothing more is not waited for, where others say all there is. */
const SILENT_MS = 60_000;
/** Milliseconds; a relay says that it lives every second. */
const LATE_MS = 3_000;

/** How far everything has come, whatever came before it (rule: what a replica tells). */
export interface Floors {
  /** The number up to which every change has come, of all shards. */
  number(): number;
  /** Notes what a relay says. */
  note(record: FloorRecord): void;
  /**
   * Raises the floors to what the read offsets reach, within their transaction.
   * @param readTo the offset of the next record, by partition of the topic of views
   */
  settle(readTo: ReadonlyMap<number, number>): void;
  /** Within a transaction: nothing is reached any more. */
  drop(): void;
  /** To be called where a transaction was rolled back, or after one with a `drop`. */
  forget(): void;
  /**
   * Why what comes is not all there is: a projector is not heard of, or not ready; undefined where all is well.
   * @param mostMs milliseconds that either may last: a projector that is started again is not to take all replicas away
   */
  trouble(mostMs: number): string | undefined;
  /** Milliseconds that what the relays have not published, or not said, is old; 0 where they are up to date. */
  behindMs(): number;
}

interface Shard {
  /** The floor that was reached. */
  number: number;
  /** What is reached once the offsets are; oldest first. */
  waiting: FloorRecord[];
  last: FloorRecord | undefined;
  /** By the monotonic clock. */
  heardAt: number;
  /** Since when the projector says that it is not ready, by the same clock; undefined where it is. */
  unreadySince: number | undefined;
}

const PREFIX = `${FLOOR}:`;
/** More than these wait only where the topic is read anew: the newest say the most. */
const MOST_WAITING = 1_000;

export function createFloors({ relays, positions, setAsides }: Store): Floors {
  let shards = new Map<string, Shard>();
  let total = 0;
  const load = () => {
    const startedAt = monotonic();
    const known = relays.beginning(PREFIX);
    shards = new Map(
      [...known].map(([name, number]) => [
        name,
        { number, waiting: [], last: undefined, heardAt: startedAt, unreadySince: undefined },
      ]),
    );
    total = relays.position(FLOOR);
  };
  load();

  const shardOf = (name: string): Shard => {
    const shard = shards.get(name) ?? {
      number: 0,
      waiting: [],
      last: undefined,
      heardAt: 0,
      unreadySince: undefined,
    };
    shards.set(name, shard);
    return shard;
  };

  /** All those that still speak; and where they are not all of their number, nobody knows how far everything is. */
  const speaking = (): { readonly names: string[]; readonly missing: string | undefined } => {
    const names = [...shards]
      .filter(([, { heardAt }]) => monotonic() - heardAt < SILENT_MS)
      .map(([name]) => name);
    const counts = new Set(names.map((name) => Number(name.split("/")[1])));
    for (const count of counts)
      for (let shard = 0; shard < count; shard++)
        if (!names.includes(`${shard}/${count}`)) return { names, missing: `${shard}/${count}` };
    return { names, missing: names.length === 0 ? "0/1" : undefined };
  };

  return {
    number: () => total,
    note(record) {
      const shard = shardOf(record.shard);
      // One that was read from the topic's past says how long ago that was; the clocks may differ, the next one comes anyway.
      const ageMs = shard.last === undefined ? Math.max(0, wallClock() - record.at) : 0;
      shard.heardAt = monotonic() - ageMs;
      shard.last = record;
      shard.unreadySince = record.reason === null ? undefined : (shard.unreadySince ?? monotonic());
      shard.waiting.push(record);
      if (shard.waiting.length > MOST_WAITING) shard.waiting.splice(0, MOST_WAITING / 2);
    },
    settle(readTo) {
      const isReached = ({ offsets }: FloorRecord) =>
        Object.entries(offsets).every(
          ([partition, offset]) => (readTo.get(Number(partition)) ?? 0) >= offset,
        );
      let moved = false;
      for (const [name, shard] of shards) {
        let reached: FloorRecord | undefined;
        while (shard.waiting[0] !== undefined && isReached(shard.waiting[0])) reached = shard.waiting.shift();
        if (reached === undefined) continue;
        moved = true;
        shard.number = reached.number;
        relays.advance(`${PREFIX}${name}`, reached.number);
        for (const position of reached.positions) positions.put({ ...position, last: null, cursor: null });
      }
      if (!moved) return;
      const { names, missing } = speaking();
      if (missing !== undefined) return;
      // A shard of another number that was given up is not waited for after a restart either.
      for (const [name] of shards) {
        if (names.includes(name)) continue;
        shards.delete(name);
        relays.remove(`${PREFIX}${name}`);
      }
      const lowest = Math.min(...names.map((name) => shardOf(name).number));
      const aside = setAsides.lowest(REPLICA_RELAY);
      const floor = Math.min(lowest, aside === undefined ? lowest : aside - 1);
      if (floor === total) return;
      total = floor;
      relays.advance(FLOOR, floor);
    },
    drop() {
      for (const name of relays.beginning(PREFIX).keys()) relays.remove(`${PREFIX}${name}`);
      relays.remove(FLOOR);
    },
    forget: load,
    trouble(mostMs) {
      for (const [name, { last, heardAt, unreadySince = monotonic() }] of shards) {
        const silentMs = monotonic() - heardAt;
        if (silentMs >= SILENT_MS && shards.size > 1) continue;
        if (silentMs > mostMs)
          return `the projector${named(name)} has not been heard of for ${Math.round(silentMs / 1_000)} s`;
        if (monotonic() - unreadySince > mostMs)
          return `the projector${named(name)} is not ready: ${last?.reason}`;
      }
      const { missing } = speaking();
      return missing === undefined ? undefined : `the projector${named(missing)} has not been heard of`;
    },
    behindMs() {
      let behind = 0;
      for (const { last, heardAt } of shards.values()) {
        const silent = monotonic() - heardAt;
        if (silent > SILENT_MS && shards.size > 1) continue;
        if (silent > LATE_MS) behind = Math.max(behind, silent);
        // A change's number is the microsecond in which it was made.
        if (last?.next != null) behind = Math.max(behind, wallClock() - last.next / 1_000);
      }
      return behind;
    },
  };
}

const named = (shard: string): string => (shard === "0/1" ? "" : ` of shard ${shard}`);
