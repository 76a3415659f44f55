import { createBackOff } from "../../shared/back-off.ts";
import type { Logger } from "../../shared/log.ts";
import type { Batch, Source, SourceRecord } from "../source/source.ts";
import { traceIdOf } from "../trace/tracing.ts";
import { createGate, type Gate } from "./gate.ts";
import type { Committed, Projection } from "./projection.ts";
import { isPassing, ProjectionError, remedyOf } from "./trouble.ts";

/** A commit waits for more records only up to these. */
const MOST_PENDING_BYTES = 128 * 1024 ** 2;
const MOST_PENDING_RECORDS = 200_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export interface Running {
  readonly source: Source;
  readonly projection: Projection;
  /** Keeps apart what must not happen in the middle of a batch; absent = nothing else happens. */
  readonly gate?: Gate;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told of each batch once it is folded; it may not be committed yet. */
  readonly onBatch?: (batch: Batch) => void;
  readonly onCommit?: (committed: Committed) => void;
  /** Told why the database can't be used, and, with undefined, when it can again. */
  readonly onTrouble?: (reason: string | undefined) => void;
}

/**
 * Folds the source into the projection until the signal aborts. Trouble with the database that can pass stops
 * everything, is retried with back-off, and loses nothing; any other ends the run (rule: whose fault is it).
 * @param toEnd true where the run ends at the log's end, with all of it committed
 * @throws ProjectionError saying what happened, to which records, and what to do
 */
export async function runProjection(running: Running, { toEnd = false } = {}): Promise<void> {
  const { source, projection, gate = createGate(), signal, onBatch } = running;
  const handle = (batch: Batch) =>
    gate.during(async () => {
      let folded = 0;
      const foldRest = () => {
        for (; folded < batch.records.length; folded++)
          projection.fold(batch.records[folded] as SourceRecord);
      };
      const placed = () => placeOf(batch.records[folded]);
      if (!(await persistently(foldRest, running, batch.keepAlive, placed))) return;
      projection.advance(batch.positions);
      onBatch?.(batch);
      if (mustCommit(batch, projection)) await commit(running, batch.keepAlive);
    });
  const sink = { positions: projection.positions, handle };
  if (!toEnd) return source.run(sink, signal);
  await source.readToEnd(sink, signal);
  await gate.during(() => commit(running));
}

/** Commits what waits, if anything does: what comes between two commits finds nothing pending. */
export async function commit(running: Running, keepAlive?: Batch["keepAlive"]): Promise<void> {
  const { projection, log, onCommit, onTrouble } = running;
  const committed = await persistently(projection.commit, running, keepAlive, projection.span);
  if (!committed) return;
  // Also what somebody else met who was stopped before it passed.
  onTrouble?.(undefined);
  report(committed.result, log, onCommit);
}

const placeOf = (record: SourceRecord | undefined): string =>
  record === undefined ? "" : `${record.topic}/${record.partition}/${record.offset}`;

function mustCommit({ more }: Batch, projection: Projection): boolean {
  const { records, bytes } = projection.pending();
  return !more || bytes > MOST_PENDING_BYTES || records > MOST_PENDING_RECORDS;
}

/**
 * Does the work until the database lets it through; undefined where the signal aborts first.
 * @throws ProjectionError for trouble that can't pass
 */
export async function persistently<T>(
  work: () => T,
  { log, signal, onTrouble }: Pick<Running, "log" | "signal" | "onTrouble">,
  keepAlive: Batch["keepAlive"],
  place: () => string,
): Promise<{ readonly result: T } | undefined> {
  let failed = false;
  const backOff = createBackOff(FIRST_RETRY_MS, LONGEST_RETRY_MS);
  while (!signal.aborted) {
    try {
      const result = work();
      if (failed) onTrouble?.(undefined);
      return { result };
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      failed = true;
      onTrouble?.(`the view database can't be used: ${message}`);
      if (!isPassing(error)) {
        throw new ProjectionError(`${message} (at ${place() || "no record"}); ${remedyOf(error)}`, {
          cause: error,
        });
      }
      log.error(
        { code, message, retryInMs: backOff.nextMs() },
        "the view database can't be used; nothing is lost, trying again",
      );
      await backOff.wait(signal);
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
