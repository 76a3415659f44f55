import { hash } from "node:crypto";
import { accessSync, constants, globSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runThreadsHere } from "../../shared/thread.ts";
import { checkAlways } from "./always.ts";
import { watchFolders } from "./disk.ts";
import { upgradeRules } from "./edges/fold-version.ts";
import { prepareThreads } from "./edges/worker-threads.ts";
import { checkEnd } from "./ending.ts";
import { numberProcesses } from "./machine.ts";
import { beginToWatch, checkMemory, endLoading, endWatching, forgetGarbage } from "./memory.ts";
import { isCalm, type Step } from "./plan.ts";
import { createSimulation } from "./simulation.ts";
import { newRun } from "./steps/life.ts";
import { take } from "./steps/take.ts";
import { entriesOf } from "./what-was-said.ts";

/** How one history went. */
export interface Outcome {
  /** Steps that were taken. */
  readonly steps: number;
  /** What was wrong; empty = nothing. */
  readonly violations: readonly string[];
  /** The step after which the first was seen; undefined = in the end. */
  readonly at: number | undefined;
  /** The same for the same seed and steps. */
  readonly trace: string;
  /** What the processes said, where that was asked for. */
  readonly log: readonly string[];
}

/** A folder whose files are in memory, where the machine has one. */
const MEMORY = isWritable("/dev/shm") ? "/dev/shm" : tmpdir();

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** To be called once, before anything is simulated. */
export async function prepare(): Promise<void> {
  watchFolders();
  runThreadsHere(true);
  numberProcesses();
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const threads = globSync("{projector,shared}/**/*.ts", { cwd: root })
    .filter((file) => readFileSync(join(root, file), "utf8").includes("workerData"))
    .sort();
  await prepareThreads(threads.map((file) => new URL(file, new URL("../../", import.meta.url)).href));
  endLoading();
}

/** Takes the steps, one after the other, until something is wrong; then lets time pass, and compares. */
export async function simulate(seed: number, plan: readonly Step[]): Promise<Outcome> {
  const simulation = createSimulation(seed, join(MEMORY, `lead-view-simulation-${process.pid}`));
  const { machine, violations } = simulation;
  upgradeRules(1);
  const run = newRun(seed, simulation, entriesOf(seed));
  simulation.readers.isErased = (leadId) => simulation.log.erased.has(leadId);
  if (isCalm(seed)) beginToWatch();
  let trace = "";
  let at: number | undefined;
  let steps = 0;
  try {
    for (const [index, step] of plan.entries()) {
      await take(run, step);
      await checkAlways(run, index);
      steps++;
      trace = hash(
        "md5",
        `${trace} ${step.kind} ${machine.now} ${machine.fired} ${simulation.readers.told.highest}`,
      );
      if (violations.length > 0) {
        at = index;
        break;
      }
      if (index % 100 === 99) {
        machine.sweep();
        forgetGarbage();
      }
    }
    if (violations.length === 0) await checkEnd(run);
    if (violations.length === 0) await checkMemory(simulation);
    trace = hash("md5", `${trace} ${machine.now} ${machine.fired} ${violations.join()}`);
    return { steps, violations: [...violations], at, trace, log: machine.log };
  } finally {
    endWatching();
    simulation.end();
  }
}
