import { randomBytes, randomUUID } from "node:crypto";

// The one door through which the program takes time, timers and chance (rule: one door to time and chance). Lint holds that.

/** Something that happens later, or again and again, until it is stopped. */
export interface Timer {
  stop(): void;
  /** Lets the process end though the timer has not. */
  unref(): Timer;
}

/** Where time, timers and chance come from: the machine, or a simulation that owns them. */
export interface World {
  /** Milliseconds since 1970; can go back. */
  wallClock(): number;
  /** Milliseconds from some moment on, with fractions; never goes back. */
  monotonic(): number;
  after(milliseconds: number, work: () => void): Timer;
  every(milliseconds: number, work: () => void): Timer;
  /** As soon as all was done that is due now. */
  atNextTurn(work: () => void): Timer;
  /** At least 0 and below 1. */
  randomNumber(): number;
  secretBytes(size: number): Buffer;
  /** A random UUID. */
  randomId(): string;
}

const machine: World = {
  wallClock: () => Date.now(),
  monotonic: () => performance.now(),
  after: (milliseconds, work) => timeoutTimer(setTimeout(work, milliseconds)),
  every: (milliseconds, work) => timeoutTimer(setInterval(work, milliseconds)),
  atNextTurn(work) {
    const turn = setImmediate(work);
    const timer: Timer = {
      stop: () => clearImmediate(turn),
      unref() {
        turn.unref();
        return timer;
      },
    };
    return timer;
  },
  randomNumber: () => Math.random(),
  secretBytes: (size) => randomBytes(size),
  randomId: () => randomUUID(),
};

function timeoutTimer(timeout: NodeJS.Timeout): Timer {
  const timer: Timer = {
    stop: () => clearTimeout(timeout),
    unref() {
      timeout.unref();
      return timer;
    },
  };
  return timer;
}

let world = machine;

/** Puts another world in the place of the machine's, for a simulation; undefined = the machine's again. */
export function enterWorld(other: World | undefined): void {
  world = other ?? machine;
}

/** Milliseconds since 1970. What is to be measured takes `monotonic`: this one can be set back. */
export const wallClock = (): number => world.wallClock();

/** Milliseconds from some moment on, with fractions. */
export const monotonic = (): number => world.monotonic();

/** Does the work once, so many milliseconds from now. */
export const after = (milliseconds: number, work: () => void): Timer => world.after(milliseconds, work);

/** Does the work every so many milliseconds from now on. */
export const every = (milliseconds: number, work: () => void): Timer => world.every(milliseconds, work);

/** Does the work as soon as all was done that is due now, I/O too. */
export const atNextTurn = (work: () => void): Timer => world.atNextTurn(work);

/** Lets all be done that is due now. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => void world.atNextTurn(resolve));

/** Resolves after so many milliseconds, or as soon as the signal aborts. */
export function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      timer.stop();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = world.after(milliseconds, end);
    signal?.addEventListener("abort", end);
  });
}

/** At least 0 and below 1; not for secrets. */
export const randomNumber = (): number => world.randomNumber();

/** Bytes that nobody can guess. */
export const secretBytes = (size: number): Buffer => world.secretBytes(size);

/** A random UUID. */
export const randomId = (): string => world.randomId();
