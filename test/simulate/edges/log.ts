import { type Logger, pino } from "pino";
import { currentActor, currentMachine } from "../machine.ts";

export { plainId } from "../../../shared/log.ts";
export type { Logger };

/** What the simulated processes say, kept for whoever looks into a failure. */
export const createLog = (name: "projector" | "api" | "start", _level: string): Logger => {
  const level = process.env.SIMULATE_LOG ?? "silent";
  if (level === "silent") return pino({ level });
  return pino({ name, level, base: null, timestamp: false }, { write: (line: string) => note(line) });
};

function note(line: string): void {
  const machine = currentMachine();
  machine.log.push(`${machine.now.toFixed(1)} ${currentActor()?.name ?? "-"} ${line.trim()}`);
  if (machine.log.length > 4_000) machine.log.splice(0, 1_000);
}
