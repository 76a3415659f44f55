import { AsyncLocalStorage } from "node:async_hooks";
import { enterWorld, type Timer, type World } from "../../shared/clock.ts";
import { createRandom, type Random } from "../generate/random.ts";

/** A process, or a thread of one, that the simulation runs. What goes on in it knows it by its asynchronous context. */
export interface Actor {
  readonly name: string;
  readonly parent: Actor | undefined;
  readonly children: Actor[];
  /** Of the process. */
  readonly pid: number;
  alive: boolean;
}

/** Thrown out of a process that was killed in the middle of what it did; nothing of it goes on. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** The process is to die after so many more of its timers, or of its effects on files. */
export interface KillPlan {
  readonly root: Actor;
  readonly by: "timers" | "effects";
  left: number;
}

interface Scheduled extends Timer {
  at: number;
  order: number;
  readonly actor: Actor | undefined;
  readonly period: number | undefined;
  readonly work: () => void;
  stopped: boolean;
}

const context = new AsyncLocalStorage<Actor | undefined>();

export const currentActor = (): Actor | undefined => context.getStore();
export const inActor = <T>(actor: Actor | undefined, work: () => T): T => context.run(actor, work);
export const rootOf = (actor: Actor): Actor => (actor.parent ? rootOf(actor.parent) : actor);

/** A whole simulated machine: clocks, timers, chance, processes. One at a time. */
export class Machine {
  /** Milliseconds since the machine began. */
  now = 0;
  /** Milliseconds since 1970 at which it began, by its wall clock as it is set now. */
  wallBase = Date.UTC(2026, 10, 25, 12);
  readonly random: Random;
  killPlan: KillPlan | undefined;
  /** What ended a process though nothing should have. */
  readonly crashes: string[] = [];
  /** Called for processes that died. */
  readonly onDeath: ((actors: ReadonlySet<Actor>) => void)[] = [];
  readonly log: string[] = [];
  fired = 0;
  readonly #pids = new Map<number, Actor>();
  #order = 0;
  #heap: Scheduled[] = [];
  #dead = new Set<Actor>();
  #secrets: Random;

  constructor(seed: number) {
    this.random = createRandom(seed);
    this.#secrets = createRandom(seed ^ 0x5eed);
    enterWorld(this.#world());
  }

  actor(name: string, parent?: Actor): Actor {
    const pid = parent?.pid ?? FIRST_PID + this.#pids.size;
    const actor: Actor = { name, parent, children: [], pid, alive: parent?.alive ?? true };
    parent?.children.push(actor);
    if (!parent) this.#pids.set(pid, actor);
    return actor;
  }

  wall(): number {
    return Math.floor(this.wallBase + this.now);
  }

  /** Does the work in so many milliseconds in a process. */
  schedule(ms: number, actor: Actor | undefined, work: () => void, period?: number): Timer {
    const timer: Scheduled = {
      at: this.now + Math.max(0, ms),
      order: this.#order++,
      actor,
      period,
      work,
      stopped: actor !== undefined && !actor.alive,
      stop() {
        timer.stopped = true;
      },
      unref: () => timer,
    };
    if (!timer.stopped) this.#push(timer);
    return timer;
  }

  /** Lets so many milliseconds pass, with all that is due in them. */
  async advance(ms: number): Promise<void> {
    const until = this.now + ms;
    await this.drain();
    for (let atOnce = 0; ; ) {
      const [next] = this.#heap;
      if (!next || next.at > until) break;
      atOnce = next.at > this.now ? 0 : atOnce + 1;
      if (atOnce > MOST_AT_ONCE) {
        this.crashes.push(`${next.actor?.name ?? "nobody"} does something again and again without any wait`);
        return;
      }
      this.#pop();
      if (next.stopped || (next.actor && !next.actor.alive)) continue;
      this.now = Math.max(this.now, next.at);
      this.fired++;
      if (next.period !== undefined) {
        next.at = Math.max(next.at + next.period, this.now + 0.001);
        next.order = this.#order++;
        this.#push(next);
      }
      this.#run(next.actor, next.work);
      await this.drain();
    }
    this.now = Math.max(this.now, until);
  }

  /** The whole machine stands still for so long: what was due is done late. */
  pause(ms: number): void {
    this.now += ms;
  }

  /** Waits until nothing goes on that waits for no timer, and buries who died. */
  async drain(): Promise<void> {
    await settled();
    while (this.#dead.size > 0) {
      const dead = this.#dead;
      this.#dead = new Set();
      for (const bury of this.onDeath) bury(dead);
      await settled();
    }
  }

  /** Ends a process at once, as by SIGKILL: whatever it awaits never comes. */
  kill(actor: Actor): void {
    if (!actor.alive) return;
    actor.alive = false;
    this.#dead.add(actor);
    for (const child of actor.children) this.kill(child);
  }

  /** Told before, and after, each effect that a process has on the files. */
  effect(): void {
    const actor = currentActor();
    if (actor === undefined) return;
    if (!actor.alive) throw new Killed();
    const plan = this.killPlan;
    if (plan?.by !== "effects" || rootOf(actor) !== plan.root || --plan.left > 0) return;
    this.killPlan = undefined;
    this.kill(plan.root);
    throw new Killed();
  }

  isAlive(pid: number): boolean {
    return this.#pids.get(pid)?.alive === true;
  }

  /** How many timers a process has. */
  timersOf(root: Actor): number {
    return this.#heap.filter(({ stopped, actor }) => !stopped && actor && rootOf(actor) === root).length;
  }

  /** Forgets what was due to the dead. */
  sweep(): void {
    const live = this.#heap.filter(({ stopped, actor }) => !stopped && (actor === undefined || actor.alive));
    this.#heap = [];
    for (const timer of live) this.#push(timer);
  }

  end(): void {
    enterWorld(undefined);
    this.#heap = [];
  }

  #run(actor: Actor | undefined, work: () => void): void {
    const plan = this.killPlan;
    if (plan?.by === "timers" && actor && rootOf(actor) === plan.root && --plan.left <= 0) {
      this.killPlan = undefined;
      this.kill(plan.root);
      return;
    }
    try {
      inActor(actor, work);
    } catch (error) {
      if (!(error instanceof Killed))
        this.crashes.push(`${actor?.name ?? "nobody"}: uncaught: ${(error as Error).stack}`);
    }
  }

  #push(timer: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(timer, heap[above] as Scheduled)) break;
      heap[at] = heap[above] as Scheduled;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Scheduled, heap[below] as Scheduled))
        below++;
      if (!isBefore(heap[below] as Scheduled, last)) break;
      heap[at] = heap[below] as Scheduled;
      at = below;
    }
    heap[at] = last;
  }

  #world(): World {
    const own = () => currentActor();
    return {
      wallClock: () => this.wall(),
      monotonic: () => this.now,
      after: (ms, work) => this.schedule(ms, own(), work),
      every: (ms, work) => this.schedule(ms, own(), work, ms),
      atNextTurn: (work) => this.schedule(0, own(), work),
      randomNumber: () => this.#secrets.fraction(),
      secretBytes: (size) => Buffer.from(Array.from({ length: size }, () => this.#secrets.integer(0, 255))),
      randomId: () => this.#secrets.uuid(),
    };
  }
}

/** Timers that are due at one moment: more are a loop that no time passes in. */
const MOST_AT_ONCE = 20_000;
const FIRST_PID = 1_000_000;
const realPid = process.pid;
const realKill = process.kill.bind(process);

/** Gives each simulated process a number of its own, by which others see whether it lives. */
export function numberProcesses(): void {
  Object.defineProperty(process, "pid", { get: () => currentActor()?.pid ?? realPid, configurable: true });
  process.kill = (pid, signal) => {
    if (pid < FIRST_PID) return realKill(pid, signal);
    if (!currentMachine().isAlive(pid)) throw Object.assign(new Error("kill ESRCH"), { code: "ESRCH" });
    return true;
  };
}

const isBefore = (a: Scheduled, b: Scheduled): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** One turn of the real event loop: by then every promise and tick has run that waits for nothing. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

let machine: Machine | undefined;

/** The machine that is simulated now. */
export function currentMachine(): Machine {
  if (!machine) throw new Error("nothing is simulated now");
  return machine;
}

export function boot(seed: number): Machine {
  machine = new Machine(seed);
  return machine;
}
