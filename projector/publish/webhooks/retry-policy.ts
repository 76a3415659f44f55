import { randomNumber } from "../../../shared/clock.ts";
import type { Answer } from "./post.ts";

/** What a receiver's answer means, as Standard Webhooks says. */
export type Verdict =
  | { readonly kind: "taken" }
  /** It wants nothing any more (410). */
  | { readonly kind: "gone" }
  /** It is to be left alone for a while: nothing is sent to it, whatever the lead. */
  | { readonly kind: "throttle"; readonly forMs: number }
  /** It did not take this change; others may pass. */
  | { readonly kind: "failed" };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds before each further try of one change: the convention's example, over three days. */
export const SCHEDULE_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
/** An endpoint that took nothing for so long is disabled. */
export const DISABLED_AFTER_MS = 5 * 24 * HOUR;
const THROTTLED = new Set([429, 502, 503, 504]);
const THROTTLE_MS = 5 * SECOND;
/** A receiver can ask for patience, not for ever. */
const LONGEST_THROTTLE_MS = 24 * HOUR;
/** Failures in a row, whatever the leads, after which an endpoint is tried with one change at a time only. */
export const FAILING_AFTER = 5;
const LONGEST_PAUSE_MS = 5 * MINUTE;

export function verdictOf({ status, retryAfterMs }: Answer): Verdict {
  if (status >= 200 && status < 300) return { kind: "taken" };
  if (status === 410) return { kind: "gone" };
  if (THROTTLED.has(status) || (retryAfterMs !== undefined && status >= 400))
    return { kind: "throttle", forMs: Math.min(retryAfterMs ?? THROTTLE_MS, LONGEST_THROTTLE_MS) };
  return { kind: "failed" };
}

/**
 * When a change is tried again, with up to a tenth of the time more, so that what failed together does not come back
 * together.
 * @param attempts how often it was tried
 * @returns milliseconds since 1970; null = never by itself
 */
export function nextTry(
  attempts: number,
  now: number,
  schedule: readonly number[] = SCHEDULE_MS,
  random: () => number = randomNumber,
): number | null {
  const wait = schedule[attempts - 1];
  return wait === undefined ? null : now + Math.round(wait * (1 + random() / 10));
}

/** Milliseconds without any message after so many failures in a row. */
export const pauseMs = (failures: number): number =>
  failures < FAILING_AFTER
    ? 0
    : Math.min((SCHEDULE_MS[0] as number) * 2 ** (failures - FAILING_AFTER), LONGEST_PAUSE_MS);
