import type { Source } from "../source/source.ts";
import type { LiveProjection } from "./live-projection.ts";

export interface Running {
  readonly source: Source;
  readonly projection: LiveProjection;
  /** The projection's. */
  readonly signal: AbortSignal;
}

/**
 * Folds the source into the projection until the signal aborts, and ends the projection. Trouble with the database that can
 * pass stops everything, is retried with back-off, and loses nothing; any other ends the run (rule: whose fault is it).
 * @param toEnd true where the run ends at the log's end, with all of it committed
 * @throws ProjectionError saying what happened, to which records, and what to do
 */
export async function runProjection(
  { source, projection, signal }: Running,
  { toEnd = false } = {},
): Promise<void> {
  const stopping = new AbortController();
  const reading = AbortSignal.any([signal, stopping.signal]);
  const sink = { positions: projection.positions, handle: projection.take };
  const run = async () => {
    if (!toEnd) return source.run(sink, reading);
    await source.readToEnd(sink, reading);
    await projection.between(() => undefined);
  };
  const running = run();
  try {
    await Promise.race([running, projection.failed]);
  } finally {
    stopping.abort();
    await running.catch(() => undefined);
    await projection.stop();
  }
}
