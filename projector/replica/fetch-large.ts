import { after, delay, wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { Logger } from "../../shared/log.ts";
import type { Gate } from "../projection/gate.ts";
import { type RecordJson, readViewRecord, recordOfJson } from "../publish/view-record.ts";
import type { Store } from "../store/store.ts";
import { applyChange, REPLICA_RELAY } from "./apply-record.ts";
import type { Floors } from "./floors.ts";

const LOOK_MS = 100;
const AT_ONCE = 20;
const ANSWER_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export interface FetchingParts {
  readonly config: Config;
  readonly store: Store;
  readonly floors: Floors;
  readonly gate: Gate;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Fetches from the projector's host what is larger than the topic of views takes, until the signal aborts. Without its
 * address such leads stay on the list of what was set aside, and are answered 503.
 */
export async function fetchLargeViews({
  config,
  store,
  floors,
  gate,
  log,
  signal,
}: FetchingParts): Promise<void> {
  const { projectorUrl, ops } = config;
  if (projectorUrl === undefined || ops.key === undefined) return;
  const { setAsides } = store;
  await gate.during(() => setAsides.retryHeld(REPLICA_RELAY));
  while (!signal.aborted) {
    for (const aside of setAsides.due(REPLICA_RELAY, wallClock(), AT_ONCE)) {
      if (signal.aborted) return;
      const address = new URL(`/ops/api/rows/${encodeURIComponent(aside.name)}`, projectorUrl);
      try {
        const change = await fetchRow(address, ops.key, signal);
        const write = change.body === null ? store.erasing : store.transaction;
        await gate.during(() => write(() => applyChange(store, change, floors.number())));
      } catch (error) {
        if (signal.aborted) return;
        const reason = `it is larger than its topic takes, and can't be fetched: ${(error as Error).message}`;
        const attempts = aside.attempts + 1;
        const wait = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 2), LONGEST_RETRY_MS);
        log.warn(
          { address: address.origin, error: (error as Error).message, retryInMs: wait },
          "a large view can't be fetched",
        );
        await gate.during(() => {
          // The topic may have told of a later change meanwhile, or of none.
          if (setAsides.get(REPLICA_RELAY, aside.name)?.number !== aside.number) return;
          setAsides.put(REPLICA_RELAY, { ...aside, reason, attempts, nextTryAt: wallClock() + wait });
        });
      }
    }
    await delay(LOOK_MS, signal);
  }
}

/** @throws Error where it can't be had */
async function fetchRow(address: URL, key: string, signal: AbortSignal) {
  const late = new AbortController();
  const deadline = after(ANSWER_MS, () => late.abort(new Error("no answer in time")));
  try {
    const headers = { "x-ops-key": key };
    const answer = await fetch(address, { headers, signal: AbortSignal.any([signal, late.signal]) });
    if (!answer.ok) throw new Error(`${address.origin} answers ${answer.status}`);
    const read = readViewRecord(recordOfJson((await answer.json()) as RecordJson));
    if (read.kind === "reference") throw new Error(`${address.origin} does not have it`);
    return read.change;
  } finally {
    deadline.stop();
  }
}
