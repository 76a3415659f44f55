import { after, delay, type Timer } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { type Decode, decodedOf } from "../decode/decode.ts";
import { leadHash } from "../source/record-frames.ts";
import { type Batch, type Position, partitionName, type SourceRecord } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { createCommits } from "./commits.ts";
import type { Committed } from "./committed.ts";
import type { FoldedBatch } from "./folded-batch.ts";
import { createFolding, HELD_BYTES } from "./folding.ts";
import { type FoldingHalf, foldHere, foldOnThread, type HalfListener } from "./folding-half.ts";
import { createGate } from "./gate.ts";
import { createLeadReader } from "./lead-reader.ts";
import type { Repeats } from "./repeats.ts";
import { ProjectionError } from "./trouble.ts";
import { createWriting } from "./writing.ts";

/** Which threads fold beside the writer's. */
export interface FoldThreads {
  /** How many; 1 = none beside it. */
  readonly count: number;
  /** Records that have to come without an end in sight before they begin; 0 = they fold from the first record on. */
  readonly from: number;
  readonly workspacePartitions: number | undefined;
}

export interface LiveOptions {
  readonly store: Store;
  readonly decode: Decode;
  readonly log: Logger;
  /** From its abort on nothing is folded or committed any more. */
  readonly signal: AbortSignal;
  /** Absent = all is folded in this thread. */
  readonly threads?: FoldThreads;
  readonly tracing?: Tracing;
  /** See Repeats; absent = nothing of an earlier session is ever lost. */
  readonly repeats?: Repeats;
  /** The generations that are kept beside this one. */
  readonly keptGenerations?: () => readonly number[];
  /** Told of each batch once it is with a folding half; it may not be committed yet. */
  readonly onBatch?: (batch: Batch) => void;
  readonly onCommit?: (committed: Committed) => void;
  /** Told why the database can't be used, and, with undefined, when it can again. */
  readonly onTrouble?: (reason: string | undefined) => void;
}

/**
 * Both halves of the projection at work on a log that is followed: one writer in this thread, and one folding half beside it
 * in this thread, or several on threads of their own while a backlog is folded. A lead's records all go to the same half, by
 * the hash of its id, so that nothing depends on how topics are partitioned (rule: two halves).
 */
export interface LiveProjection {
  /** Where to go on: behind what was committed, or is on its way there. */
  positions(): readonly Position[];
  /**
   * Takes a batch over; records below their partition's position are passed over. Resolves once there is room for the next.
   * @throws ProjectionError where nothing can be folded or committed any more
   */
  take(batch: Batch): Promise<void>;
  /**
   * Does work between two commits, with nothing under way.
   * @throws ProjectionError as `take`
   */
  between<T>(work: () => T): Promise<T>;
  /**
   * Writes what was folded beside it, such as leads that were folded again from their first event on. Only between two commits.
   * @throws SqliteError where the database can't be written; nothing is stored then
   */
  write(batch: FoldedBatch): void;
  /** Rejects where nothing can be folded or committed any more. */
  readonly failed: Promise<never>;
  /** Ends the halves, once its signal aborted or it failed; what is not committed is dropped. */
  stop(): Promise<void>;
}

/** A commit waits for more records only up to these. */
const MOST_PENDING_BYTES = 128 * 1024 ** 2;
const MOST_PENDING_RECORDS = 200_000;
/** Commits that wait to be written while the halves fold on. */
const MOST_UNDER_WAY = 2;
/** Bytes that wait to be folded by one half: what it has to do while the writer's thread is busy with a commit. */
const MOST_UNFOLDED = 16 * 1024 ** 2;
/** Milliseconds between two signs of life to the log, while it waits. */
const ALIVE_MS = 1_000;
const CHANGED = Symbol("something changed");
/** Milliseconds without a backlog after which threads are ended. */
const REST_MS = 5_000;

export function createLiveProjection(options: LiveOptions): LiveProjection {
  const { store, decode, log, signal, tracing, repeats, keptGenerations, onBatch, onTrouble } = options;
  const { threads = { count: 1, from: 0, workspacePartitions: undefined } } = options;
  const gate = createGate();
  const current = new Map<string, Position>(store.positions.all().map((one) => [partitionName(one), one]));
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  let failed: unknown;
  let wake = new AbortController();
  // With a reason of its own: the error that is made without one keeps who called, and with it the last batch.
  const changed = () => wake.abort(CHANGED);
  signal.addEventListener("abort", changed);
  const fail = (error: unknown) => {
    failed ??= error;
    failure.reject(error);
    changed();
  };

  const writing = createWriting(store, keptGenerations ? { keptGenerations } : {});
  const commits = createCommits({
    writing,
    log,
    signal,
    onCommit: options.onCommit,
    onTrouble,
    onChange: changed,
    onFailed: fail,
  });
  /** Of each half, the bytes of each message that it has not answered. */
  const unfolded = new Map<FoldingHalf, number[]>();
  const listener: HalfListener = {
    folded(half) {
      unfolded.get(half)?.shift();
      changed();
    },
    batch(half, batch, span) {
      unfolded.get(half)?.shift();
      commits.batch(half, batch, span);
      changed();
    },
    trouble: (reason) => onTrouble?.(reason),
    failed: (error) => fail(failureOf(error)),
  };
  const here = () => {
    const folding = () =>
      createFolding(createLeadReader(store), decode, { positions: [], ...(tracing ? { tracing } : {}) });
    return [foldHere(folding, listener, { log, signal })];
  };
  const onThreads = () =>
    Array.from({ length: threads.count }, () => {
      const { workspacePartitions } = threads;
      const mostBytes = Math.floor(HELD_BYTES / threads.count);
      return foldOnThread({ file: store.db.name, mostBytes, workspacePartitions }, listener);
    });

  let halves: readonly FoldingHalf[] = here();
  /** Those that are about to take over. */
  let next: { readonly halves: readonly FoldingHalf[]; isReady: boolean } | undefined;
  let open = nothingOpen();
  /** Records that came without an end in sight. */
  let streak = 0;
  let resting: Timer | undefined;

  const waitsFor = (half: FoldingHalf) => unfolded.get(half)?.reduce((sum, bytes) => sum + bytes, 0) ?? 0;
  const hasRoom = () =>
    commits.underWay() < MOST_UNDER_WAY && halves.every((half) => waitsFor(half) < MOST_UNFOLDED);

  /** Waits until it is so, or the signal aborts. */
  const until = async (isSo: () => boolean, keepAlive?: Batch["keepAlive"]) => {
    while (!signal.aborted) {
      if (failed !== undefined) throw failed;
      if (isSo()) return;
      wake = new AbortController();
      await delay(ALIVE_MS, wake.signal);
      await keepAlive?.();
    }
  };

  /** Has all that is with the halves committed. */
  const flush = async (keepAlive?: Batch["keepAlive"]) => {
    if (open.halves.size + open.moved.size > 0) handOver({ records: [], positions: [], more: false });
    await until(() => commits.underWay() === 0, keepAlive);
  };

  /** Has others fold from now on: they begin with what is committed. */
  const relieve = async (others: readonly FoldingHalf[], keepAlive?: Batch["keepAlive"]) => {
    await flush(keepAlive);
    const before = halves;
    halves = others;
    for (const half of before) unfolded.delete(half);
    await Promise.all(before.map((half) => half.stop()));
  };

  /** Begins threads where a backlog is folded, and has them take over once they are ready. */
  const shareOut = async ({ records, more, keepAlive }: Batch) => {
    streak = more ? streak + records.length : 0;
    if (halves.length > 1) {
      if (more) {
        resting?.stop();
        resting = undefined;
      } else if (threads.from > 0) resting ??= after(REST_MS, rest);
      return;
    }
    if (threads.count === 1) return;
    if (!next && (streak >= threads.from || threads.from === 0)) {
      const begun = { halves: onThreads(), isReady: false };
      next = begun;
      void Promise.all(begun.halves.map((half) => half.ready)).then(() => {
        begun.isReady = true;
        changed();
      });
    }
    if (threads.from === 0) await until(() => next?.isReady ?? false, keepAlive);
    if (!next?.isReady) return;
    const { halves: others } = next;
    next = undefined;
    await relieve(others, keepAlive);
    log.debug({ threads: others.length }, "a backlog is folded on threads");
  };

  /** Ends the threads: a few events cost less in this one. */
  const rest = () => {
    resting = undefined;
    const relieved = gate.during(async () => {
      if (signal.aborted || failed !== undefined || halves.length === 1) return;
      await relieve(here());
    });
    relieved.catch(fail);
  };

  const handOver = ({ records, positions, more }: Batch) => {
    if (repeats?.mayCome(current.values())) open.mayRepeat = true;
    const shares = halves.map(() => ({ records: [] as SourceRecord[], bytes: 0 }));
    for (const record of fresh(records, current)) {
      const share = shares[shares.length === 1 ? 0 : hashOfLead(record, decode) % shares.length];
      const bytes = sizeOf(record);
      share?.records.push(record);
      if (share) share.bytes += bytes;
      open.records++;
      open.bytes += bytes;
    }
    for (const position of positions) {
      const name = partitionName(position);
      if (position.nextOffset < (current.get(name)?.nextOffset ?? 0)) continue;
      current.set(name, position);
      open.moved.add(name);
    }
    const takes = !more || open.bytes > MOST_PENDING_BYTES || open.records > MOST_PENDING_RECORDS;
    for (const [index, half] of halves.entries()) {
      const share = shares[index] as (typeof shares)[number];
      if (share.records.length > 0) open.halves.add(half);
      const isAsked = takes && open.halves.has(half);
      if (share.records.length === 0 && !isAsked) continue;
      const waiting = unfolded.get(half) ?? [];
      waiting.push(share.bytes);
      unfolded.set(half, waiting);
      half.fold(share.records, isAsked);
    }
    if (!takes || open.halves.size + open.moved.size === 0) return;
    const moved = [...open.moved].map((name) => current.get(name) as Position);
    commits.begin(open.halves, moved, open.mayRepeat);
    open = nothingOpen();
  };

  return {
    positions: () => [...current.values()],
    take: (batch) =>
      gate.during(async () => {
        await until(hasRoom, batch.keepAlive);
        await shareOut(batch);
        if (signal.aborted) return;
        handOver(batch);
        onBatch?.(batch);
      }),
    between: (work) =>
      gate.during(async () => {
        await flush();
        return work();
      }),
    write(batch) {
      writing.write(batch);
      const leadIds = batch.leads.map(({ leadId }) => leadId);
      for (const half of halves) half.forget(leadIds);
    },
    failed: failure.promise,
    async stop() {
      resting?.stop();
      await Promise.all([...halves, ...(next?.halves ?? [])].map((half) => half.stop()));
      // What began between two commits has ended then.
      await gate.during(() => undefined);
    },
  };
}

const nothingOpen = () => ({
  /** Those that have records of it. */
  halves: new Set<FoldingHalf>(),
  moved: new Set<string>(),
  records: 0,
  bytes: 0,
  mayRepeat: false,
});

/** Records that were not taken over before. */
function fresh(records: readonly SourceRecord[], current: ReadonlyMap<string, Position>): SourceRecord[] {
  let [topic, partition, from] = ["", -1, 0];
  return records.filter((record) => {
    if (record.partition !== partition || record.topic !== topic) {
      ({ topic, partition } = record);
      from = current.get(partitionName(record))?.nextOffset ?? 0;
    }
    return record.offset >= from;
  });
}

/** Says which half a record belongs to: its key is its lead's id, or it is no event of a lead. */
function hashOfLead(record: SourceRecord, decode: Decode): number {
  const { line } = record;
  if (line) return leadHash(line.chunk, line.keyStart, line.keyEnd);
  const { key } = record;
  return leadHash(key ?? Buffer.from(decodedOf(decode, record)?.leadId ?? ""));
}

/** About the bytes that a record keeps in memory until the commit. A line is not parsed for it. */
function sizeOf(record: SourceRecord): number {
  if (record.line) return record.line.end - record.line.start + 200;
  return (record.json?.text.length ?? record.value?.length ?? 0) + 200;
}

/** What one of the halves ended by, for whoever has to start the projector again. */
const failureOf = (error: Error): Error =>
  error.name === "ProjectionError"
    ? error
    : new ProjectionError(
        `a thread that folds ended: ${error.message}; nothing is lost: what was not committed is folded again once the ` +
          "projector is started",
        { cause: error },
      );
