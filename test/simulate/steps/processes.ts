import { FOLD_VERSION, upgradeRules } from "../edges/fold-version.ts";
import type { Actor } from "../machine.ts";
import type { Step } from "../plan.ts";
import type { Simulation } from "../simulation.ts";
import { connect, endAll, endApi, type Takes } from "./life.ts";

/** Processes begin, and end. */
export const processSteps: Takes<
  "start" | "start api" | "stop" | "kill" | "kill standby" | "kill command" | "kill api" | "upgrade"
> = {
  start({ simulation }, { index }) {
    simulation.startProjector(index);
  },
  async "start api"({ simulation }) {
    await simulation.startApi();
    // Who read a stream comes again by itself, as browsers have it.
    for (const subscriber of simulation.readers.subscribers)
      if (!subscriber.revoked) connect(simulation, subscriber);
  },
  stop({ simulation }) {
    simulation.owner()?.stopping.abort();
  },
  kill({ simulation }, step) {
    const owner = simulation.owner();
    if (owner) kill(simulation, owner.actor, step);
  },
  "kill standby"({ simulation }) {
    for (const one of simulation.projectors) if (one && !one.owns) simulation.machine.kill(one.actor);
  },
  "kill command"({ simulation }, step) {
    const [command] = simulation.commands;
    if (command) kill(simulation, command, step);
  },
  "kill api"(run) {
    endApi(run);
  },
  async upgrade(run) {
    await endAll(run);
    upgradeRules(FOLD_VERSION + 1);
  },
};

type Kill = Pick<Extract<Step, { kind: "kill" }>, "by" | "after">;

/** At once, or in the middle of what it does then. */
function kill({ machine }: Simulation, root: Actor, { by, after }: Kill): void {
  if (by === "now") machine.kill(root);
  else machine.killPlan = { root, by, left: after };
}
