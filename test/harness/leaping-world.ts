import { randomBytes, randomUUID } from "node:crypto";
import { enterWorld, type Timer, type World } from "../../shared/clock.ts";

/** The machine's world, but that its clocks can leap ahead, and that its timers can stand still. */
export function enterLeapingWorld() {
  let ahead = 0;
  let still = false;
  const kept: (() => void)[] = [];
  const run = (work: () => void) => {
    if (still) kept.push(work);
    else work();
  };
  const timer = (timeout: NodeJS.Timeout | NodeJS.Immediate, stop: () => void): Timer => {
    const made: Timer = {
      stop,
      unref() {
        timeout.unref();
        return made;
      },
    };
    return made;
  };
  const world: World = {
    wallClock: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    after(milliseconds, work) {
      const timeout = setTimeout(() => run(work), milliseconds);
      return timer(timeout, () => clearTimeout(timeout));
    },
    every(milliseconds, work) {
      const timeout = setInterval(() => still || work(), milliseconds);
      return timer(timeout, () => clearInterval(timeout));
    },
    atNextTurn(work) {
      const turn = setImmediate(work);
      return timer(turn, () => clearImmediate(turn));
    },
    randomNumber: () => Math.random(),
    secretBytes: (size) => randomBytes(size),
    randomId: () => randomUUID(),
  };
  enterWorld(world);
  return {
    now: world.wallClock,
    leap(minutes: number): void {
      ahead += minutes * 60_000;
    },
    /** From now on nobody is woken who waits for a time to pass. */
    standStill(): void {
      still = true;
    },
    goOn(): void {
      still = false;
      for (const work of kept.splice(0)) work();
    },
    leave: () => enterWorld(undefined),
  };
}
