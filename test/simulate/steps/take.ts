import type { Step } from "../plan.ts";
import { diskSteps } from "./disk.ts";
import type { Run, Takes } from "./life.ts";
import { logSteps } from "./log.ts";
import { processSteps } from "./processes.ts";
import { readerSteps } from "./readers.ts";
import { requestSteps } from "./requests.ts";
import { timeSteps } from "./time.ts";

const outsideSteps: Takes<"broker" | "receiver"> = {
  broker({ simulation }, { mood }) {
    simulation.outside.broker = mood;
  },
  receiver({ simulation }, { mood }) {
    simulation.outside.receiver = mood;
  },
};

const TAKES: Takes<Step["kind"]> = {
  ...logSteps,
  ...timeSteps,
  ...processSteps,
  ...diskSteps,
  ...requestSteps,
  ...readerSteps,
  ...outsideSteps,
};

/** Does what a step says, and lets pass what it says. */
export async function take(run: Run, step: Step): Promise<void> {
  await (TAKES[step.kind] as (run: Run, step: Step) => void | Promise<void>)(run, step);
  await run.simulation.machine.drain();
}
