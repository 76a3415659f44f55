import { drawPlan, type Step } from "./plan.ts";
import { type Outcome, prepare, simulate } from "./run.ts";
import { kindOf, shrink } from "./shrink.ts";

export interface Plan {
  readonly first: number;
  readonly seeds: number;
  readonly steps: number;
  readonly minutes: number;
  readonly stepsASeed: number;
  /** True where each seed is run twice, and has to go the same way. */
  readonly twice: boolean;
  readonly shrinks: boolean;
  /** True where the first violation ends it. */
  readonly untilFirst: boolean;
  readonly say: (line: string) => void;
}

export interface Result {
  readonly steps: number;
  readonly seeds: number;
  readonly violations: number;
  readonly stepsPerS: number;
}

const SHRINK_MS = 90_000;
const ONE_SEED = 2_000;

/** Simulates one seed after the other until one of the bounds is reached; without any, a hundred seeds. */
export async function runSeeds({
  first,
  seeds,
  steps,
  minutes,
  stepsASeed,
  twice,
  shrinks,
  untilFirst,
  say,
}: Plan): Promise<Result> {
  await prepare();
  const begun = performance.now();
  const deadline = begun + minutes * 60_000;
  const bounded = [seeds, steps, minutes].some(Number.isFinite);
  let [taken, done, violations] = [0, 0, 0];
  const known = new Set<string>();
  for (let seed = first; done < (bounded ? seeds : 100); seed++) {
    if (performance.now() >= deadline || taken >= steps) break;
    const length = Math.min(stepsASeed, Math.max(10, steps - taken));
    const plan = drawPlan(seed, length);
    const outcome = await simulate(seed, plan);
    taken += outcome.steps;
    done++;
    if (twice && outcome.violations.length === 0) {
      const again = await simulate(seed, plan);
      taken += again.steps;
      if (again.trace !== outcome.trace) {
        violations++;
        say(`seed ${seed}: it went another way the second time`);
      }
    }
    if (outcome.violations.length === 0) continue;
    violations++;
    tell(seed, length, outcome, say);
    const kind = kindOf(outcome.violations[0] ?? "");
    if (shrinks && !known.has(kind)) tellShortest(seed, await shrink(seed, plan, outcome, SHRINK_MS), say);
    known.add(kind);
    if (untilFirst) break;
  }
  const seconds = (performance.now() - begun) / 1_000;
  return { steps: taken, seeds: done, violations, stepsPerS: Math.round(taken / seconds) };
}

function tell(seed: number, length: number, { violations, at, log }: Outcome, say: Plan["say"]): void {
  const where = at === undefined ? "in the end" : `after step ${at}`;
  say(`seed ${seed} (--seed ${seed} --seeds 1 --steps-a-seed ${length}): ${where}`);
  for (const violation of violations.slice(0, 5)) say(`  ${violation.slice(0, ONE_SEED)}`);
  for (const line of log.slice(-80)) say(`    ${line}`);
}

function tellShortest(seed: number, steps: readonly Step[], say: Plan["say"]): void {
  say(`the shortest history of seed ${seed} that still fails so:`);
  for (const step of steps) say(`  ${JSON.stringify(step)}`);
}
