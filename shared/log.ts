import { type Logger, pino } from "pino";

export type { Logger };

const PLAIN_ID = /^[\w.:-]{1,100}$/;

/** An id from outside that can go into a log as it is; undefined for any other text, which could hold anything. */
export const plainId = (given: unknown): string | undefined =>
  typeof given === "string" && PLAIN_ID.test(given) ? given : undefined;

/** The process's JSON log. Fields that could carry a key or a person's data are never handed to it. */
export const createLog = (name: "projector" | "api" | "start", level: string): Logger =>
  pino({ name, level, redact: ["req.headers", "headers"] });
