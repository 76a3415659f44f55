import { setTimeout as delay } from "node:timers/promises";
import { ProblemError } from "../shared/http/problem.ts";
import type { Views } from "./views.ts";

/** The header by which a client that knows its event's position asks for the view after it (design.md section 7). */
export const WAIT_HEADER = "x-wait-for-position";

const LOOK_MS = 5;
const LONGEST_WAIT_MS = 2_000;

/**
 * Waits until the event at a position, `topic/partition/offset`, is folded.
 * @throws ProblemError 400 for what is no position, 504 where it is not folded within the bound
 */
export async function waitForPosition(views: Views, given: string | string[] | undefined): Promise<void> {
  if (given === undefined) return;
  const match = typeof given === "string" ? /^([\w.-]{1,249})\/(\d{1,9})\/(\d{1,15})$/.exec(given) : null;
  if (!match)
    throw new ProblemError(400, `${WAIT_HEADER} must be topic/partition/offset, such as omni.lead/0/42.`);
  const [topic, partition, offset] = [match[1], Number(match[2]), Number(match[3])];
  for (const deadline = performance.now() + LONGEST_WAIT_MS; ; await delay(LOOK_MS)) {
    const position = views.positions().find((one) => one.topic === topic && one.partition === partition);
    if (position !== undefined && position.nextOffset > offset) return;
    if (performance.now() > deadline) {
      throw new ProblemError(
        504,
        `The event at ${given} is not folded yet. Try again, or read without ${WAIT_HEADER}.`,
      );
    }
  }
}
