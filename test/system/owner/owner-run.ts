import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AskError } from "../../../projector/owner/ask.ts";
import { readConfig } from "../../../shared/config.ts";
import { createWorld, ROUND_DEADLINE_MS } from "./owner-world.ts";
import { watchNumbers } from "./watch-numbers.ts";

export interface OwnerResult {
  readonly rounds: number;
  /** Rounds after which something waited for what did not come. */
  readonly stuck: number;
  /** Records that are not folded, or erased leads that are still in a file. */
  readonly lost: number;
  readonly differingViews: number;
  readonly numbersReused: number;
  /** The longest time from a SIGKILL to the standby's being the owner. */
  readonly takeoverMs: number;
}

/**
 * Drives random interleavings of folding, erasing, rebuilding, switching, removing, checking and killing on real
 * processes, an owner and a standby, and compares after every round what is served with a fresh fold of the log.
 */
export async function ownerRun(
  plan: { readonly rounds: number; readonly seed: number; readonly workers: number },
  onProgress: (line: string) => void,
): Promise<OwnerResult> {
  const folder = mkdtempSync(join(tmpdir(), "owner-"));
  const log = join(folder, "log");
  mkdirSync(join(log, "omni.lead"), { recursive: true });
  // The commands of this process, and the threads that they start, are to find the same folder.
  Object.assign(process.env, {
    EVENT_LOG_DIR: log,
    DATABASE_DIR: join(folder, "views"),
    LOG_LEVEL: "error",
    OPS_PORT: "0",
    FOLD_WORKERS: String(plan.workers),
    FOLD_WORKERS_FROM: "0",
  });
  mkdirSync(join(folder, "views"));
  const config = readConfig(process.env);
  const world = createWorld(config, plan.seed);
  const numbers = watchNumbers(config);
  const total = { stuck: 0, lost: 0, differingViews: 0 };
  let round = 0;
  try {
    world.startProjectors();
    await world.settled();
    for (; round < plan.rounds; round++) {
      const actions = world.draw();
      const ends = await Promise.race([
        Promise.allSettled(actions.map(({ work }) => work())),
        delay(ROUND_DEADLINE_MS, "stuck" as const, { ref: false }),
      ]);
      const names = actions.map(({ name }) => name).join(" + ");
      const failures =
        ends === "stuck"
          ? []
          : ends.flatMap((end) =>
              end.status === "rejected" && !(end.reason instanceof AskError) ? [end.reason] : [],
            );
      for (const failure of failures) onProgress(`round ${round}: ${names}: ${failure.stack}`);
      const settled = ends !== "stuck" && failures.length === 0 && (await world.settled());
      if (!settled) {
        total.stuck++;
        onProgress(`round ${round}: stuck in ${names}: ${world.reason()}`);
        await world.restart();
        continue;
      }
      const { differing, canaries, missing } = await world.check();
      total.differingViews += differing;
      total.lost += canaries.length + missing;
      if (differing + canaries.length + missing > 0)
        onProgress(
          `round ${round}: ${names}: ${differing} differ, ${missing} missing, erased but there: ${canaries.join(", ")}`,
        );
      if (round % 20 === 19) onProgress(`${round + 1} rounds`);
    }
    const result = { rounds: round, ...total };
    return { ...result, numbersReused: numbers.reused(), takeoverMs: world.takeoverMs() };
  } finally {
    numbers.stop();
    await world.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
