import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Actor, currentActor, rootOf } from "./machine.ts";
import type { Simulation } from "./simulation.ts";

// What simulated processes hold in memory: each map, set and list that one of them makes is known, and once nothing is left
// to do, none may be larger than what is live could make it. So whatever keeps something of each event, request or
// subscriber for good is found, wherever it does.

/** Entries that a map, set or list has at most: a lead's last 128 event ids are the most of one thing that is kept. */
const MOST_ENTRIES = 140;
/** Timers of a process, and listeners for its end. */
const MOST_TIMERS = 60;
const MOST_LISTENERS = 20;
const AGAIN_MS = 3_000;

interface Held {
  readonly collection: WeakRef<Sized>;
  readonly owner: Actor;
  /** Where it was made, for whoever looks into a failure. */
  readonly madeAt: string | undefined;
}
type Sized = Map<unknown, unknown> | Set<unknown> | unknown[];

let held: Held[] = [];
let watches = false;
/** What modules made when they were loaded, with its entries when the watch began. */
let ofModules: { readonly collection: Sized; readonly entries: number }[] = [];
let isLoading = false;

/** To be called before the program is loaded, which takes its maps and sets from here. */
export function watchMemory(): void {
  isLoading = true;
  for (const name of ["Map", "Set"] as const) {
    globalThis[name] = new Proxy(globalThis[name], {
      construct(target, args) {
        const made = Reflect.construct(target, args) as Sized;
        if (watches) note(made);
        else if (isLoading) ofModules.push({ collection: made, entries: 0 });
        return made;
      },
    }) as never;
  }
}

/** What is made from now on is no module's. */
export function endLoading(): void {
  isLoading = false;
}

const realPush = Array.prototype.push;

/** From now on what processes make is noted; lists once they are long. */
export function beginToWatch(): void {
  held = [];
  watches = true;
  ofModules = ofModules.map(({ collection }) => ({ collection, entries: entriesOf(collection) }));
  define(function push(this: unknown[], ...items: unknown[]): number {
    const length = realPush.apply(this, items);
    if (length > MOST_ENTRIES && length - items.length <= MOST_ENTRIES) note(this);
    return length;
  });
}

export function endWatching(): void {
  if (!watches) return;
  watches = false;
  held = [];
  define(realPush);
}

function define(push: typeof realPush): void {
  Object.defineProperty(Array.prototype, "push", { value: push, writable: true, configurable: true });
}

function note(collection: Sized): void {
  const owner = currentActor();
  if (owner?.alive !== true) return;
  const madeAt = process.env.SIMULATE_STACKS === undefined ? undefined : new Error().stack;
  realPush.call(held, { collection: new WeakRef(collection), owner: rootOf(owner), madeAt });
}

/** Forgets what is garbage already. */
export function forgetGarbage(): void {
  held = held.filter(({ collection, owner }) => owner.alive && collection.deref() !== undefined);
}

/** What is held, where all is handed on and nobody waits for anything, is bounded by what is live. */
export async function checkMemory({ machine, projectors, api, report }: Simulation): Promise<void> {
  for (const one of [...projectors.map((projector) => projector?.actor), api?.actor]) {
    if (!one?.alive) continue;
    const timers = machine.timersOf(one);
    if (timers > MOST_TIMERS) report(`${one.name} has ${timers} timers`);
  }
  for (const projector of projectors) {
    const listeners = projector ? getEventListeners(projector.stopping.signal, "abort").length : 0;
    if (listeners > MOST_LISTENERS) report(`a projector has ${listeners} listeners for its end`);
  }
  if (!watches) return;
  await collectGarbage();
  if (held.some(isTooLarge)) {
    // What was in hand last may be held until something else is.
    await machine.advance(AGAIN_MS);
    await collectGarbage();
  }
  for (const one of held)
    if (isTooLarge(one))
      report(`${one.owner.name} holds ${told(one.collection.deref())} ${one.madeAt ?? ""}`);
  for (const { collection, entries } of ofModules)
    if (entriesOf(collection) - entries > MOST_ENTRIES) report(`a module holds ${told(collection)}`);
}

const isTooLarge = ({ collection }: Held): boolean => entriesOf(collection.deref()) > MOST_ENTRIES;

const entriesOf = (collection: Sized | undefined): number =>
  Array.isArray(collection) ? collection.length : (collection?.size ?? 0);

function told(collection: Sized | undefined): string {
  const [first] = collection ?? [];
  return `more than is live: ${entriesOf(collection)} entries, the first ${JSON.stringify(first)?.slice(0, 200)}`;
}

async function collectGarbage(): Promise<void> {
  // What was made or looked at within a turn is kept until its end.
  await new Promise((resolve) => void setImmediate(resolve));
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  forgetGarbage();
}
