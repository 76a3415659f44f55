import { type Progress as Bar, createProgress } from "../rebuild/progress.ts";
import type { Progress } from "./requests.ts";

/** Shows the progress of a request at a terminal, and, at Ctrl-C, lets it be asked to stop. */
export function showProgress() {
  const stopping = new AbortController();
  process.once("SIGINT", () => stopping.abort());
  let phase = "";
  let bar: Bar | undefined;
  return {
    signal: stopping.signal,
    onProgress(progress: Progress): void {
      if (progress.phase !== phase) {
        bar?.finish();
        phase = progress.phase;
        bar = createProgress(phase, progress.total);
      }
      bar?.update(progress.done);
    },
    finish: (): void => bar?.finish(),
  };
}
