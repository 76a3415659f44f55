import { monotonic } from "../../shared/clock.ts";
import type { Decode } from "../decode/decode.ts";
import type { Position, SourceRecord } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { type Committed, committedOf } from "./committed.ts";
import type { FoldedBatch } from "./folded-batch.ts";
import { createFolding } from "./folding.ts";
import { createLeadReader } from "./lead-reader.ts";
import { createWriting } from "./writing.ts";

/** Folds records into memory, and commits them with their positions in one transaction: both halves in one thread. */
export interface Projection {
  /** Where to go on: the stored positions, and those noted since. */
  positions(): readonly Position[];
  /**
   * Folds one record; one below its partition's position was folded before and is passed over. One that is no event,
   * or contradicts the state, becomes a dead letter of the next commit.
   * @throws SqliteError where the database can't be read; nothing of the record is folded then, so call again
   */
  fold(record: SourceRecord): void;
  /** Notes the positions after what was folded, for the next commit. */
  advance(positions: readonly Position[]): void;
  /** What waits for the next commit. */
  pending(): { readonly records: number; readonly bytes: number };
  /** The span of what waits, for whoever has to say where a commit failed: each partition's first and last offset. */
  span(): string;
  /**
   * Commits all that was folded, and the positions that were noted.
   * @throws SqliteError where the database can't be written; nothing is committed then, so call again
   */
  commit(): Committed;
  /**
   * Writes what was folded beside it, such as leads that were folded again from their first event on.
   * @throws SqliteError as `commit`
   */
  write(batch: FoldedBatch): void;
}

export interface ProjectionOptions {
  readonly now?: () => Date;
  readonly tracing?: Tracing;
  /** The generations that are kept beside this one. */
  readonly keptGenerations?: () => readonly number[];
  /** Bytes of leads that are kept in memory between commits. */
  readonly mostBytes?: number;
  /** False in a build (projector/projection/writing.ts). */
  readonly numbers?: boolean;
  /** See Writing. */
  readonly mayRepeat?: boolean;
}

export function createProjection(
  store: Store,
  decode: Decode,
  { now, tracing, keptGenerations, mostBytes, numbers = true, mayRepeat = false }: ProjectionOptions = {},
): Projection {
  const folding = createFolding(createLeadReader(store), decode, {
    positions: store.positions.all(),
    ...(tracing ? { tracing } : {}),
    ...(mostBytes === undefined ? {} : { mostBytes }),
  });
  const writing = createWriting(store, {
    ...(now ? { now } : {}),
    ...(keptGenerations ? { keptGenerations } : {}),
    numbers,
  });
  /** What was taken, and could not be written yet. */
  const unwritten: { readonly batch: FoldedBatch; readonly span: string }[] = [];
  const { positions, fold, advance } = folding;
  return {
    positions,
    fold,
    advance,
    pending() {
      const waiting = folding.pending();
      const taken = unwritten.reduce((sum, { batch }) => sum + batch.counts.records, 0);
      return { ...waiting, records: waiting.records + taken };
    },
    span: () => [...unwritten.map(({ span }) => span), folding.span()].filter(Boolean).join(", "),
    commit() {
      const start = monotonic();
      const span = folding.span();
      unwritten.push({ batch: folding.take(), span });
      const committed: Committed[] = [];
      for (let next = unwritten[0]; next; next = unwritten[0]) {
        committed.push(committedOf(next.batch, writing.write(next.batch, mayRepeat), monotonic() - start));
        unwritten.shift();
        folding.settled();
      }
      return committed.reduce(together);
    },
    write(batch) {
      writing.write(batch);
      folding.forget(batch.leads.map(({ leadId }) => leadId));
    },
  };
}

/** A commit that failed before is told of with the next one. */
const together = (a: Committed, b: Committed): Committed => ({
  records: a.records + b.records,
  deadLetters: [...a.deadLetters, ...b.deadLetters],
  dropped: a.dropped + b.dropped,
  erased: [...a.erased, ...b.erased],
  assembly: {
    views: a.assembly.views + b.assembly.views,
    milliseconds: a.assembly.milliseconds + b.assembly.milliseconds,
  },
  milliseconds: b.milliseconds,
  outcomes: [...a.outcomes, ...b.outcomes],
  timestamps: [...a.timestamps, ...b.timestamps],
});
