import type { HistoryEntry } from "../../properties/arbitrary-history.ts";
import type { FolderCopy } from "../disk.ts";
import type { Step } from "../plan.ts";
import type { Simulation } from "../simulation.ts";
import type { Subscriber } from "../subscribers.ts";

/** What the steps of one run share. */
export interface Run {
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  /** Dead letters that were discarded, for sure; and those of which it is not known, since a copy came back. */
  readonly discarded: Set<string>;
  readonly unsure: Set<string>;
  copy:
    | {
        readonly files: FolderCopy;
        readonly discarded: ReadonlySet<string>;
        readonly unsure: ReadonlySet<string>;
      }
    | undefined;
  /** Milliseconds by which the wall clock was set back. */
  setBack: number;
  /** When the machine last went on after it stood still, by its clock. */
  awakeSince: number;
  /** What was found to be folded already, by partition. */
  readonly folded: Map<string, number>;
  /** The number that each lead was last found to have, and when that was found, by the machine's clock. */
  readonly found: Map<string, { readonly number: number; readonly at: number }>;
  /** True where all views are folded anew when everything is compared. */
  readonly rebuildsAtEnd: boolean;
  /** True once the power failed, or a copy was restored. */
  hasLost: boolean;
  /** Where partitions ended when that happened last: up to there events may have been folded, and that is lost. */
  readonly mayRepeat: Map<string, number>;
}

export const newRun = (seed: number, simulation: Simulation, entries: readonly HistoryEntry[]): Run => ({
  simulation,
  entries,
  discarded: new Set(),
  unsure: new Set(),
  copy: undefined,
  setBack: 0,
  awakeSince: 0,
  folded: new Map(),
  found: new Map(),
  rebuildsAtEnd: seed % 3 === 0,
  hasLost: false,
  mayRepeat: new Map(),
});

type StepOf<K extends Step["kind"]> = Step extends infer S
  ? S extends { readonly kind: Step["kind"] }
    ? K extends S["kind"]
      ? S
      : never
    : never
  : never;

/** Does what steps of some kinds say, and lets pass what they say. */
export type Takes<K extends Step["kind"]> = {
  readonly [Kind in K]: (run: Run, step: StepOf<Kind>) => void | Promise<void>;
};

/** Nothing runs for so long; then everybody has the time again that a deadline gave. */
export function standStill(run: Run, ms: number): void {
  const { machine, readers } = run.simulation;
  machine.pause(ms);
  run.awakeSince = machine.now;
  run.simulation.readonlyUntil += ms;
  for (const subscriber of readers.subscribers) subscriber.revokedAt += ms;
}

export function connect(simulation: Simulation, subscriber: Subscriber): void {
  const { api, machine, readers } = simulation;
  if (api?.actor.alive && !subscriber.connection) readers.connect(subscriber, api, () => machine.now);
}

export function endApi({ simulation }: Run): void {
  const { api, machine, readers } = simulation;
  if (!api) return;
  machine.kill(api.actor);
  for (const subscriber of readers.subscribers) subscriber.connection = undefined;
  simulation.api = undefined;
}

/** Ends every process of the machine at once. */
export async function endAll(run: Run): Promise<void> {
  const { machine, projectors, commands } = run.simulation;
  for (const one of projectors) if (one) machine.kill(one.actor);
  for (const command of commands) machine.kill(command);
  endApi(run);
  machine.killPlan = undefined;
  await machine.drain();
}

/** True for a key that lasts as long as the simulation. */
export const isLasting = ({ keys }: Simulation, key: string): boolean => [...keys.values()].includes(key);
