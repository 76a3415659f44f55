import { delay } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { isPassing } from "./trouble.ts";

/** Milliseconds after which what could not be done is tried again. */
const AGAIN_MS = 500;

/**
 * Does what needs a file of the folder; where that is busy or the disk full now, as soon as it has passed (rule: whose
 * fault is it). The fold, where there is one, goes on meanwhile.
 * @param what can't be used, for the log, which is told once
 * @returns undefined where the signal aborts first
 * @throws Error as the work does, where it does not pass
 */
export async function untilPassed<T>(
  what: string,
  work: () => T,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<T | undefined> {
  for (let told = false; ; told = true) {
    try {
      return work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (!told) log.warn({ error: (error as Error).message }, `${what} can't be used; trying again`);
      if (signal.aborted) return undefined;
      await delay(AGAIN_MS, signal);
    }
  }
}
