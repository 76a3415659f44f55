import { monotonic } from "../../shared/clock.ts";
/** What a long run tells of itself: a bar that redraws where there is a terminal, plain lines where there is none. */
export interface Progress {
  /** @param done of `total`, in records */
  update(done: number): void;
  finish(): void;
}

const REDRAW_MS = 200;
const LINE_MS = 5_000;
const WIDTH = 30;

/** The progress of a run of several phases: a bar for each, one after the other. */
export function createPhases() {
  let current = "";
  let bar: Progress | undefined;
  return {
    update(phase: string, done: number, total: number): void {
      if (phase !== current) {
        bar?.finish();
        current = phase;
        bar = createProgress(phase, total);
      }
      bar?.update(done);
    },
    finish: (): void => bar?.finish(),
  };
}

export function createProgress(
  what: string,
  total: number,
  out: NodeJS.WriteStream = process.stderr,
): Progress {
  const started = monotonic();
  let shown = 0;
  let latest = 0;
  const show = (done: number) => {
    const seconds = (monotonic() - started) / 1_000;
    const rate = done / Math.max(seconds, 0.001);
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const left = rate > 0 ? Math.ceil((total - done) / rate) : 0;
    const facts = `${(share * 100).toFixed(1)} %  ${done}/${total}  ${Math.round(rate)} events/s  ${left} s left`;
    if (out.isTTY) {
      const bar = "#".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, ".");
      out.write(`\r\u001b[K${what} [${bar}] ${facts}`);
    } else {
      out.write(`${what}: ${facts}\n`);
    }
  };
  return {
    update(done) {
      latest = done;
      const now = monotonic();
      if (now - shown < (out.isTTY ? REDRAW_MS : LINE_MS)) return;
      shown = now;
      show(done);
    },
    finish() {
      show(latest);
      if (out.isTTY) out.write("\n");
    },
  };
}
