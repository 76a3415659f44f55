import type { Logger } from "../../shared/log.ts";
import type { Position } from "../source/source.ts";
import { traceIdOf } from "../trace/tracing.ts";
import { type Committed, committedOf } from "./committed.ts";
import type { FoldedBatch, FoldedCounts, Writing } from "./folded-batch.ts";
import type { FoldingHalf } from "./folding-half.ts";
import { persistently } from "./persistently.ts";

export interface CommitsOptions {
  readonly writing: Writing;
  readonly log: Logger;
  /** From its abort on nothing is committed any more. */
  readonly signal: AbortSignal;
  readonly onCommit: ((committed: Committed) => void) | undefined;
  /** Told why the database can't be used, and, with undefined, when it can again. */
  readonly onTrouble: ((reason: string | undefined) => void) | undefined;
  /** Told after each commit. */
  readonly onChange: () => void;
  /** Told why nothing can be committed any more. */
  readonly onFailed: (error: unknown) => void;
}

/** One commit that is under way: what it waits for, and what it has. */
interface UnderWay {
  readonly halves: ReadonlySet<FoldingHalf>;
  readonly batches: Map<FoldingHalf, { readonly batch: FoldedBatch; readonly span: string }>;
  readonly positions: readonly Position[];
  readonly mayRepeat: boolean;
}

/**
 * Commits what folding halves hand over: of each stretch of the log the batches of all of them together, with the positions
 * behind it, in one transaction, one stretch after the other (rule: positions commit with what was folded). What can't
 * be written now is written again as it is.
 */
export interface Commits {
  /**
   * A stretch of the log is with the halves now.
   * @param halves those that will hand over a batch for it
   * @param mayRepeat see Writing
   */
  begin(halves: ReadonlySet<FoldingHalf>, positions: readonly Position[], mayRepeat: boolean): void;
  /** A half handed over its next batch. */
  batch(half: FoldingHalf, batch: FoldedBatch, span: string): void;
  /** Commits that began and are not done. */
  underWay(): number;
}

export function createCommits(options: CommitsOptions): Commits {
  const { signal, onChange, onFailed } = options;
  const queue: UnderWay[] = [];
  let isWriting = false;
  let hasFailed = false;

  const writeAll = async () => {
    if (isWriting || hasFailed) return;
    isWriting = true;
    try {
      for (let next = queue[0]; next && next.batches.size === next.halves.size; next = queue[0]) {
        if (!(await writeOne(next, options))) return;
        queue.shift();
        for (const half of next.halves) half.settled();
        onChange();
      }
    } catch (error) {
      hasFailed = true;
      onFailed(error);
    } finally {
      isWriting = false;
    }
  };

  return {
    begin(halves, positions, mayRepeat) {
      queue.push({ halves, batches: new Map(), positions, mayRepeat });
      void writeAll();
    },
    batch(half, batch, span) {
      if (signal.aborted) return;
      const waits = queue.find(({ halves, batches }) => halves.has(half) && !batches.has(half));
      waits?.batches.set(half, { batch, span });
      void writeAll();
    },
    underWay: () => queue.length,
  };
}

/** @returns false where the signal aborts first */
async function writeOne(
  { batches, positions, mayRepeat }: UnderWay,
  { writing, log, signal, onCommit, onTrouble }: CommitsOptions,
): Promise<boolean> {
  const parts = [...batches.values()];
  const batch = joined(
    parts.map((part) => part.batch),
    positions,
  );
  const span = () =>
    parts
      .map((part) => part.span)
      .filter(Boolean)
      .join(", ");
  const trouble = onTrouble ? { onTrouble } : {};
  const written = await persistently(
    () => writing.write(batch, mayRepeat),
    { log, signal, ...trouble },
    undefined,
    span,
  );
  if (!written) return false;
  // Also what somebody else met who was stopped before it passed.
  onTrouble?.(undefined);
  const { result } = written;
  report(committedOf(batch, result, batch.counts.milliseconds + result.milliseconds), log, onCommit);
  return true;
}

/** The batches of several halves as one. */
function joined(batches: readonly FoldedBatch[], positions: readonly Position[]): FoldedBatch {
  const [first, ...others] = batches;
  if (first && others.length === 0) return { ...first, positions };
  return {
    leads: batches.flatMap(({ leads }) => leads),
    deadLetters: batches.flatMap(({ deadLetters }) => deadLetters),
    positions,
    counts: together(batches.map(({ counts }) => counts)),
  };
}

const together = (all: readonly FoldedCounts[]): FoldedCounts => ({
  records: all.reduce((sum, { records }) => sum + records, 0),
  outcomes: all.flatMap(({ outcomes }) => outcomes),
  timestamps: all.flatMap(({ timestamps }) => timestamps),
  views: all.reduce((sum, { views }) => sum + views, 0),
  // They work beside each other.
  milliseconds: Math.max(0, ...all.map(({ milliseconds }) => milliseconds)),
});

function report(committed: Committed, log: Logger, onCommit: CommitsOptions["onCommit"]): void {
  for (const { record, code, reason, eventId } of committed.deadLetters) {
    const { topic, partition, offset } = record;
    log.warn({ topic, partition, offset, eventId, traceId: traceIdOf(record), code, reason }, "dead letter");
  }
  if (committed.dropped > 0) log.info({ records: committed.dropped }, "dropped: their leads were erased");
  const unknown = committed.outcomes.filter(({ outcome }) => outcome === "unknown_lead");
  if (unknown.length > 0)
    log.info(
      { records: unknown.reduce((sum, { events }) => sum + events, 0) },
      "null values that erased nothing: no event of their leads was folded here. They never were, or their events are in another partition, whose shard keeps them",
    );
  const { records, assembly, milliseconds } = committed;
  log.debug({ records, views: assembly.views, milliseconds: Math.round(milliseconds) }, "committed");
  onCommit?.(committed);
}
