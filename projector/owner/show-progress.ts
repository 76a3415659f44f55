import { createPhases } from "../rebuild/progress.ts";
import type { Progress } from "./requests.ts";

/** Shows the progress of a request at a terminal, and, at Ctrl-C, lets it be asked to stop. */
export function showProgress() {
  const stopping = new AbortController();
  process.once("SIGINT", () => stopping.abort());
  const { update, finish } = createPhases();
  return {
    signal: stopping.signal,
    onProgress: ({ phase, done, total }: Progress): void => update(phase, done, total),
    finish,
  };
}
