import { type Logger, pino } from "pino";
import { printable } from "./command-line/terminal.ts";
import { mistypedSettings } from "./mistyped-settings.ts";

export type { Logger };

const PLAIN_ID = /^[\w.:-]{1,100}$/;

/** An id from outside that can go into a log as it is; undefined for any other text, which could hold anything. */
export const plainId = (given: unknown): string | undefined =>
  typeof given === "string" && PLAIN_ID.test(given) ? given : undefined;

/**
 * The process's JSON log. Fields that could carry a key or a person's data are never handed to it; what is in others never
 * steers the terminal that it may be read on.
 */
export const createLog = (name: "projector" | "api" | "start", level: string): Logger =>
  pino({ name, level, redact: ["req.headers", "headers"], hooks: { streamWrite: printable } });

/** Says which environment variables look like mistyped settings. */
export function warnOfMistypedSettings(log: Pick<Logger, "warn">): void {
  for (const { name, nearest } of mistypedSettings(process.env))
    log.warn({ name, nearest }, "an environment variable is no setting; is the nearest one meant?");
}
