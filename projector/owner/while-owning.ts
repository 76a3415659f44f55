import { delay } from "../../shared/clock.ts";
import type { Source } from "../source/source.ts";

const LOOK_MS = 50;

/**
 * Does the work for as long as this database has the turn, and again whenever it has it again: what two databases of one
 * shard would both hand on is told by its owner alone.
 * @param work ends when its signal aborts
 */
export async function whileOwning(
  { owns }: Pick<Source, "owns">,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    if (!owns()) {
      await delay(LOOK_MS, signal);
      continue;
    }
    const turn = new AbortController();
    const working = work(AbortSignal.any([signal, turn.signal])).finally(() => turn.abort());
    // Told where the work fails, below.
    working.catch(() => undefined);
    while (owns() === true && !turn.signal.aborted && !signal.aborted)
      await delay(LOOK_MS, AbortSignal.any([signal, turn.signal]));
    turn.abort();
    await working;
  }
}
