import { delay, monotonic, wallClock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { SetAside } from "../store/set-asides.ts";
import type { Store } from "../store/store.ts";

/** What waits to be handed on, in its order, with a cursor that is kept in the view database. */
export interface Outbox<Row> {
  /** The name of its cursor, and of what it sets aside. */
  readonly relay: string;
  /** What stands behind the cursor, in order: at most so many, and within the outbox's own bound of bytes. */
  next(most: number): readonly Row[];
  /** Moves the cursor behind these, within a transaction. */
  advance(rows: readonly Row[]): void;
  /** A row that was set aside, as it is now; undefined where it is gone. */
  find(name: string): Row | undefined;
  nameOf(row: Row): string;
  numberOf(row: Row): number;
  bytesOf(row: Row): number;
  /** How many stand behind the cursor. */
  waiting(): number;
}

/** What became of one row. */
export type Outcome =
  | "passed"
  | {
      readonly reason: string;
      /** Milliseconds since 1970, by how often it was tried; null = only by a command. */
      readonly nextTryAt: (attempts: number) => number | null;
    };

/** Where an outbox's rows go. */
export interface Channel<Row> {
  /** Rows of one lane are passed on in order; lanes wait for nothing of each other. */
  laneOf(row: Row): string;
  /** All lanes, where they are few and known; undefined where each row's name is a lane. */
  lanes?(): readonly string[];
  /** How many rows can be taken on now; 0 = none. */
  atOnce(): number;
  /** Gets ready to pass something on. @throws Error where nothing can be passed on at all; it is tried again */
  prepare?(): Promise<void>;
  /**
   * Passes on rows of a lane, and tells of each what became of it.
   * @throws Error where the lane is in trouble: what was not told of is tried again, with back-off
   */
  pass(lane: string, rows: readonly Row[], told: (row: Row, outcome: Outcome) => void): Promise<void>;
  close?(): Promise<void>;
}

export interface Reading<Row> {
  readonly store: Store;
  readonly outbox: Outbox<Row>;
  readonly channel: Channel<Row>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks at what waits. */
  readonly lookMs: number;
  /** Milliseconds that others wait for a lane that is slow. */
  readonly slowMs?: number | undefined;
}

const SLOW_MS = 1_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** Bytes that a lane takes on at once of what was set aside. */
const RETRY_BYTES = 4 * 1024 ** 2;
/** Milliseconds that the end waits for what is under way; it stands aside already, so nothing is lost with it. */
const LAST_WAIT_MS = 2_000;

/** A row on its way, with what is known of earlier tries. */
interface Entry<Row> {
  readonly row: Row;
  readonly tried: Pick<SetAside, "attempts" | "since"> | undefined;
}

/** One lane's rows on their way. */
interface Run<Row> {
  readonly lane: string;
  readonly entries: readonly Entry<Row>[];
  /** What was told of and is not stored yet. */
  readonly told: Map<Row, Outcome>;
  finished: boolean;
  trouble: string | undefined;
}

/**
 * Hands on what waits until the signal aborts (rule: nobody blocks another): at least once, in order in each lane, after
 * an outage of any length. What can't be passed on when its turn comes is set aside in the same transaction that moves
 * the cursor behind it, and tried again by itself or by a command; a lane with something aside sends nothing past it. No
 * trouble leaves this function.
 */
export async function readOutbox<Row>(reading: Reading<Row>): Promise<void> {
  const { store, outbox, channel, log, signal, lookMs, slowMs = SLOW_MS } = reading;
  const { relay } = outbox;
  /** Lanes whose rows are on their way, until what became of them is stored. */
  const busy = new Set<string>();
  const troubled = new Map<string, { until: number; wait: number }>();
  const background = new Set<Promise<void>>();
  let turn = 0;

  const isFree = (lane: string) => !busy.has(lane) && (troubled.get(lane)?.until ?? 0) <= monotonic();

  const retries = (most: number): Map<string, Entry<Row>[]> => {
    const now = wallClock();
    const due =
      channel
        .lanes?.()
        .filter(isFree)
        .flatMap((lane) => store.setAsides.dueOfLane(relay, lane, now, most)) ??
      store.setAsides.due(relay, now, most + busy.size).filter(({ lane }) => isFree(lane));
    const batches = new Map<string, Entry<Row>[]>();
    let bytes = 0;
    for (const aside of due) {
      const row = outbox.find(aside.name);
      if (row === undefined) {
        store.setAsides.remove(relay, aside.name);
        continue;
      }
      const batch = batches.get(aside.lane) ?? [];
      bytes = (batch.length === 0 ? 0 : bytes) + outbox.bytesOf(row);
      if (batch.length > 0 && bytes > RETRY_BYTES) continue;
      batches.set(aside.lane, [...batch, { row, tried: aside }]);
    }
    return batches;
  };

  /** One look: true where something was taken on. */
  const round = async (): Promise<boolean> => {
    const most = channel.atOnce();
    if (most === 0) return false;
    const anyFresh = outbox.next(1).length > 0;
    if (!anyFresh && store.setAsides.due(relay, wallClock(), 1).length === 0) return false;
    await channel.prepare?.();
    turn++;
    // Where few can be taken on, what was set aside and what is new take turns.
    const mostRetries = channel.lanes || !anyFresh ? most : (most + (turn % 2)) >> 1;
    const batches = mostRetries > 0 ? retries(mostRetries) : new Map<string, Entry<Row>[]>();
    const lanes = channel.lanes?.();
    const allBusy = lanes !== undefined && lanes.length > 0 && !lanes.some(isFree);
    const taken = channel.lanes ? 0 : [...batches.values()].reduce((sum, { length }) => sum + length, 0);
    const fresh = allBusy || most <= taken ? [] : outbox.next(most - taken);
    const waiting: Row[] = [];
    for (const row of fresh) {
      const lane = channel.laneOf(row);
      if (!isFree(lane) || store.setAsides.laneWaits(relay, lane)) waiting.push(row);
      else batches.set(lane, [...(batches.get(lane) ?? []), { row, tried: undefined }]);
    }
    if (fresh.length === 0 && batches.size === 0) return false;
    const runs = [...batches].map(([lane, entries]) => start(lane, entries));
    await Promise.race([Promise.all(runs.map(({ done }) => done)), delay(slowMs, signal)]);
    settle(runs, fresh, waiting);
    return true;
  };

  const start = (lane: string, entries: readonly Entry<Row>[]) => {
    busy.add(lane);
    const run: Run<Row> = { lane, entries, told: new Map(), finished: false, trouble: undefined };
    const rows = entries.map(({ row }) => row);
    const done = channel
      .pass(lane, rows, (row, outcome) => run.told.set(row, outcome))
      .then(() => void troubled.delete(lane))
      .catch((error: Error) => {
        run.trouble = error.message;
        const wait = Math.min((troubled.get(lane)?.wait ?? FIRST_WAIT_MS / 2) * 2, LONGEST_WAIT_MS);
        troubled.set(lane, { until: monotonic() + wait, wait });
        log.warn(
          { relay, lane, error: run.trouble, retryInMs: wait },
          "what waits can't be handed on; trying again",
        );
      })
      .then(() => {
        run.finished = true;
      });
    return { run, done };
  };

  /** Stores what became of a round, and has what is still on its way stored when it has arrived. */
  const settle = (
    started: readonly { readonly run: Run<Row>; readonly done: Promise<void> }[],
    fresh: readonly Row[],
    waiting: readonly Row[],
  ): void => {
    const late = started.filter(({ run }) => !run.finished);
    try {
      store.transaction(() => {
        for (const row of waiting) putBehind(row);
        for (const { run } of started) apply(run);
        if (fresh.length > 0) outbox.advance(fresh);
      });
    } finally {
      // Not stored = passed on again: a lane is never left locked for it.
      for (const { run } of started) if (!late.some((one) => one.run === run)) busy.delete(run.lane);
      for (const { run, done } of late) {
        const stored = done.then(() => {
          try {
            if (!signal.aborted || store.db.open) store.transaction(() => apply(run));
          } catch (error) {
            log.warn({ relay, lane: run.lane, error: (error as Error).message }, "it is handed on again");
          }
          busy.delete(run.lane);
          background.delete(stored);
        });
        background.add(stored);
      }
    }
  };

  /** A row that has to wait for others of its lane. */
  const putBehind = (row: Row): void => {
    const name = outbox.nameOf(row);
    const known = store.setAsides.get(relay, name);
    const waits = known !== undefined && known.nextTryAt !== null;
    store.setAsides.put(relay, {
      name,
      lane: channel.laneOf(row),
      number: outbox.numberOf(row),
      reason: waits ? known.reason : "it waits for what was set aside before it",
      attempts: waits ? known.attempts : 0,
      since: waits ? known.since : wallClock(),
      nextTryAt: waits ? known.nextTryAt : 0,
    });
  };

  const apply = ({ lane, entries, told, trouble, finished }: Run<Row>): void => {
    for (const { row, tried } of entries) {
      const outcome = told.get(row);
      const [name, number] = [outbox.nameOf(row), outbox.numberOf(row)];
      if (outcome === "passed") {
        store.setAsides.passed(relay, name, number);
        continue;
      }
      const attempts = (tried?.attempts ?? 0) + (finished || outcome ? 1 : 0);
      store.setAsides.put(relay, {
        name,
        lane,
        number,
        reason: outcome?.reason ?? trouble ?? "it is on its way",
        attempts,
        since: tried?.since ?? wallClock(),
        nextTryAt: outcome ? outcome.nextTryAt(attempts) : 0,
      });
    }
  };

  for (let wait = lookMs; !signal.aborted; ) {
    let moved = false;
    try {
      moved = await round();
      wait = lookMs;
    } catch (error) {
      wait = Math.min(Math.max(wait * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS);
      log.warn(
        { relay, error: (error as Error).message, waiting: waitingOrNothing(outbox), retryInMs: wait },
        "nothing can be handed on; trying again",
      );
    }
    if (!moved) await delay(wait, signal);
  }
  await Promise.race([Promise.all(background), delay(LAST_WAIT_MS)]);
  await Promise.race([channel.close?.().catch(() => undefined), delay(LAST_WAIT_MS)]);
}

/** For a log line only: a database that can't be read is told of already. */
function waitingOrNothing({ waiting }: Pick<Outbox<unknown>, "waiting">): number | undefined {
  try {
    return waiting();
  } catch {
    return undefined;
  }
}
