import { InvalidArgumentError } from "commander";
import { wallClock } from "../clock.ts";

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 };

/** An option's whole number. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It takes a whole number ${range}.`);
  };

/** How long from now: 90d, 12h, 30m. In milliseconds. */
export function duration(text: string): number {
  const [, number, unit = ""] = /^(\d{1,6})([dhm])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("It takes a time such as 90d, 12h or 30m.");
  return Number(number) * (UNITS[unit] as number);
}

/** A time from now, or a date, in milliseconds since 1970. */
export function time(text: string): number {
  if (/^\d+[dhm]$/.test(text)) return wallClock() + duration(text);
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date))
    throw new InvalidArgumentError("It takes a time from now, such as 90d, or a date, such as 2027-01-31.");
  return date;
}

/** A time that is still to come. */
export function futureTime(text: string): number {
  const value = time(text);
  if (value <= wallClock()) throw new InvalidArgumentError("That time is over.");
  return value;
}

/** What must not be empty, as a mistyped shell variable would make it. */
export function text(given: string): string {
  if (given.trim() === "") throw new InvalidArgumentError("It must not be empty.");
  return given;
}
