import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import type { Monitor } from "../ops/monitor.ts";
import { followKeys } from "./follow-keys.ts";

export interface KeysParts {
  readonly config: Config;
  readonly log: Logger;
  readonly monitor: Monitor;
}

/**
 * Does an owner's work, and keeps this node's keys up to date with the others' meanwhile.
 * @throws Error as the work does, or where the topic of keys can't be read and waiting can't help
 */
export async function whileFollowingKeys(
  { config, log, monitor }: KeysParts,
  stopping: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const signal = AbortSignal.any([stopping, ended.signal]);
  const keys = followKeys(config, log, signal);
  monitor.alsoAsk(keys.reason);
  const working = work(signal);
  try {
    await Promise.race([working, keys.ended.then(() => working)]);
  } finally {
    ended.abort();
    await Promise.allSettled([working, keys.ended]);
  }
}
