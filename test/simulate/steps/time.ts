import { standStill, type Takes } from "./life.ts";

/** Time passes, and clocks are set. */
export const timeSteps: Takes<"pass" | "pause" | "clock"> = {
  async pass({ simulation }, { ms }) {
    await simulation.machine.advance(ms);
  },
  async pause(run, { ms }) {
    standStill(run, ms);
    await run.simulation.machine.advance(50);
  },
  clock(run, step) {
    const { machine, readers } = run.simulation;
    // What a database has lost it knows by the clock only: set back behind that, it would give numbers again.
    const least = run.hasLost ? readers.told.highest / 1_000 + 1 - machine.wall() : Number.NEGATIVE_INFINITY;
    const ms = step.ms < 0 ? Math.min(0, Math.max(step.ms, least)) : step.ms;
    machine.wallBase += ms;
    // What came before looks older at once than it is.
    if (ms > 0) run.awakeSince = machine.now;
    if (ms < 0) run.setBack -= ms;
  },
};
