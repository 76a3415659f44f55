import { type Logger, pino } from "pino";

export type { Logger };

/** The process's JSON log. Fields that could carry a key or a person's data are never handed to it. */
export const createLog = (name: "projector" | "api" | "start", level: string): Logger =>
  pino({ name, level, redact: ["req.headers", "headers"] });
