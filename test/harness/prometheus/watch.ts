import { expect } from "vitest";
import type { enterLeapingWorld } from "../leaping-world.ts";
import { type Check, createAlerts, promtoolSays } from "./rules.ts";
import { createRecorder, type Target } from "./series.ts";

/** Seconds from scrape to scrape. */
const INTERVAL = 60;
const fired = new Set<string>();

/** The alerts that were seen to fire by the tests of this file, in no order. */
export const seenToFire = (): ReadonlySet<string> => fired;

type World = ReturnType<typeof enterLeapingWorld>;

/** Records targets, and checks which alerts fire. */
export function openWatch(world: World, targets: readonly Target[]) {
  const recorder = createRecorder(world.now() / 1_000, INTERVAL);
  const alerts = createAlerts(recorder.recording);
  const checks: Check[] = [];
  return {
    /** So many minutes pass in which what is told now is told all the time. */
    async pass(minutes: number): Promise<void> {
      world.leap(minutes);
      await recorder.scrape(targets, minutes);
    },
    /** Exactly these fire, in the order of the rules. */
    fires(...expected: string[]): void {
      const firing = alerts.firing();
      checks.push({ at: recorder.recording().length - 1, firing });
      for (const alert of firing) fired.add(alert);
      expect(firing).toEqual(expected);
    },
    promtoolSays: () => promtoolSays(recorder.recording(), checks),
  };
}

/** A program that serves its metrics on this machine. */
export const scraping = (job: string, port: number): Target => ({
  job,
  instance: `localhost:${port}`,
  scrape: () =>
    fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } }).then(
      (answer) => answer.text(),
      () => undefined,
    ),
});

/** An API of which only that it is there is looked at. */
export const IDLE_API: Target = {
  job: "lead-view-api",
  instance: "a",
  scrape: async () => "lead_view_subscribers 0\n",
};
