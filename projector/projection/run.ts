import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../shared/log.ts";
import type { Batch, Source, SourceRecord } from "../source/source.ts";
import { traceIdOf } from "../trace/tracing.ts";
import type { Committed, Projection } from "./projection.ts";

/** A commit waits for more records only up to these. */
const MOST_PENDING_BYTES = 128 * 1024 ** 2;
const MOST_PENDING_RECORDS = 200_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export interface Running {
  readonly source: Source;
  readonly projection: Projection;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told of each batch once it is folded; it may not be committed yet. */
  readonly onBatch?: (batch: Batch) => void;
  readonly onCommit?: (committed: Committed) => void;
  /** Told when the database can't be used, and when it can again. */
  readonly onHealth?: (healthy: boolean) => void;
}

/**
 * Folds the source into the projection until the signal aborts or the source ends (design.md section 4). A trouble
 * with the database stops everything, is retried with back-off, and loses nothing.
 */
export async function runProjection({
  source,
  projection,
  log,
  signal,
  onBatch,
  onCommit,
  onHealth,
}: Running): Promise<void> {
  const persist = <T>(work: () => T, { keepAlive }: Batch) =>
    persistently(work, { log, signal, onHealth, keepAlive });
  const handle = async (batch: Batch) => {
    let folded = 0;
    const foldRest = () => {
      for (; folded < batch.records.length; folded++) projection.fold(batch.records[folded] as SourceRecord);
    };
    if (!(await persist(foldRest, batch))) return;
    projection.advance(batch.positions);
    onBatch?.(batch);
    if (!mustCommit(batch, projection)) return;
    const committed = await persist(() => projection.commit(), batch);
    if (committed) report(committed.result, log, onCommit);
  };
  await source.run({ positions: projection.positions, handle, reset: projection.reset }, signal);
}

function mustCommit({ more }: Batch, projection: Projection): boolean {
  const { records, bytes } = projection.pending();
  return !more || bytes > MOST_PENDING_BYTES || records > MOST_PENDING_RECORDS;
}

interface Persistence extends Pick<Running, "log" | "signal"> {
  readonly onHealth: Running["onHealth"];
  readonly keepAlive: Batch["keepAlive"];
}

/** Does the work until the database lets it through; undefined where the signal aborts first. */
async function persistently<T>(
  work: () => T,
  { log, signal, onHealth, keepAlive }: Persistence,
): Promise<{ readonly result: T } | undefined> {
  for (
    let wait = FIRST_RETRY_MS, failed = false;
    !signal.aborted;
    wait = Math.min(wait * 2, LONGEST_RETRY_MS)
  ) {
    try {
      const result = work();
      if (failed) onHealth?.(true);
      return { result };
    } catch (error) {
      if ((error as Error).name !== "SqliteError") throw error;
      failed = true;
      onHealth?.(false);
      const { code, message } = error as Error & { code?: string };
      log.error(
        { code, message, retryInMs: wait },
        "the view database can't be used; nothing is lost, trying again",
      );
      await delay(wait, undefined, { signal }).catch(() => undefined);
      await keepAlive?.();
    }
  }
  return undefined;
}

function report(committed: Committed, log: Logger, onCommit: Running["onCommit"]): void {
  for (const { record, code, reason, eventId } of committed.deadLetters) {
    const { topic, partition, offset } = record;
    log.warn({ topic, partition, offset, eventId, traceId: traceIdOf(record), code, reason }, "dead letter");
  }
  if (committed.dropped > 0) log.info({ records: committed.dropped }, "dropped: their leads were erased");
  const { records, assembly, milliseconds } = committed;
  log.debug({ records, views: assembly.views, milliseconds: Math.round(milliseconds) }, "committed");
  onCommit?.(committed);
}
