import type { Step } from "./plan.ts";
import { type Outcome, simulate } from "./run.ts";

/** The kind of a violation: what it says, without whom it is said of. */
export const kindOf = (violation: string): string =>
  violation
    .split("\n")[0]
    ?.replace(/[\w.-]*\d[\w.:/-]*/g, "#")
    .slice(0, 60) ?? "";

/**
 * Finds a shorter history that still fails in the same way: leaves out ever smaller parts, as long as that is of use.
 * @param mostMs milliseconds that it may take
 */
export async function shrink(seed: number, plan: readonly Step[], first: Outcome, mostMs: number) {
  const wanted = kindOf(first.violations[0] ?? "");
  const deadline = performance.now() + mostMs;
  const fails = async (steps: readonly Step[]) => {
    const { violations } = await simulate(seed, steps);
    return violations.some((violation) => kindOf(violation) === wanted);
  };
  let steps = first.at === undefined ? plan : plan.slice(0, first.at + 1);
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length && performance.now() < deadline; ) {
      const without = [...steps.slice(0, from), ...steps.slice(from + size)];
      if (await fails(without)) steps = without;
      else from += size;
    }
  }
  return smaller(steps, fails, deadline);
}

/** Fewer events at a time. */
async function smaller(
  steps: readonly Step[],
  fails: (steps: readonly Step[]) => Promise<boolean>,
  deadline: number,
): Promise<readonly Step[]> {
  let found = steps;
  for (let index = 0; index < found.length; index++) {
    for (;;) {
      const step = found[index] as Step;
      if (step.kind !== "append" || step.count === 1 || performance.now() > deadline) break;
      const less = found.with(index, { ...step, count: step.count >> 1 });
      if (!(await fails(less))) break;
      found = less;
    }
  }
  return found;
}
