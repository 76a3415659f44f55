import { createBackOff } from "../../shared/back-off.ts";
import type { Logger } from "../../shared/log.ts";
import type { Batch } from "../source/source.ts";
import { isPassing } from "../store/trouble.ts";
import { ProjectionError, remedyOf } from "./trouble.ts";

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export interface Persistent {
  readonly log: Pick<Logger, "error">;
  readonly signal: AbortSignal;
  /** Told why the database can't be used, and, with undefined, when it can again. */
  readonly onTrouble?: (reason: string | undefined) => void;
}

/**
 * Does the work until the database lets it through; undefined where the signal aborts first.
 * @param place says what is being worked on, for the message of an error
 * @throws ProjectionError for trouble that can't pass (rule: whose fault is it)
 */
export async function persistently<T>(
  work: () => T,
  { log, signal, onTrouble }: Persistent,
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
