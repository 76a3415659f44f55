import { existsSync } from "node:fs";
import { delay } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { openReader } from "../../shared/sqlite.ts";
import { FLOOR, SELECT_IS_REPLICA } from "../../shared/view/arrival.ts";
import type { Monitor } from "../ops/monitor.ts";
import { VIEWS_RELAY } from "../publish/view-topic.ts";
import { REPLICA_RELAY } from "../replica/apply-record.ts";
import type { Store } from "../store/store.ts";
import { HANDLERS } from "./handlers.ts";
import type { Owner } from "./owner.ts";

const RETRY_MS = 5_000;
const HOW = { switch: true, acceptLoss: false, acceptDeadLetters: true } as const;

/** True where a replica's rows are what serves in a folder: nothing was folded there, so that nothing can be gone on with. */
export function isReplicaFile(file: string): boolean {
  if (!existsSync(file)) return false;
  const db = openReader(file);
  try {
    return db.prepare(SELECT_IS_REPLICA).get() !== undefined;
  } catch {
    // No view database at all: whoever opens it to write says what is wrong.
    return false;
  } finally {
    db.close();
  }
}

/**
 * Makes a projector of a folder that was a replica's: folds the log into a generation of its own, while the replica's rows
 * are served, and switches to it, with the numbers going on above. It is tried until it succeeds, or the signal aborts.
 */
export async function becomeProjector(
  owner: Owner,
  { monitor, log }: { readonly monitor: Monitor; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const from = owner.generation();
  log.warn(
    { generation: from },
    "this folder was a replica's: its views are made from the log, and then it folds on",
  );
  while (!signal.aborted) {
    try {
      monitor.is("owner", "this folder was a replica's: its views are made from the log first");
      const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) =>
        monitor.is(
          "owner",
          `this folder was a replica's: its views are made from the log first (${phase}, ${done} of ${total})`,
        );
      const { generation } = await HANDLERS.rebuild(HOW, { owner, signal, onProgress });
      log.info({ generation }, "the views that were made from the log serve");
      // It can't be switched back to, since nothing can be folded into it.
      await HANDLERS.remove({ generation: from }, { owner, signal, onProgress });
      return;
    } catch (error) {
      if (signal.aborted) return;
      const { message } = error as Error;
      monitor.is(
        "owner",
        `this folder was a replica's, and its views can't be made from the log: ${message}`,
      );
      log.error(
        { error: message, retryInMs: RETRY_MS },
        "the views can't be made from the log; trying again",
      );
      await delay(RETRY_MS, signal);
    }
  }
}

/** What a generation that takes the place of a replica's rows goes on with: the topic has everything up to their floor. */
export function goOnFromReplica({ relays, setAsides, transaction }: Store): void {
  transaction(() => {
    relays.advance(VIEWS_RELAY, relays.position(FLOOR));
    for (const prefix of [FLOOR, "replica:"])
      for (const name of relays.beginning(prefix).keys()) relays.remove(`${prefix}${name}`);
    setAsides.removeAll(REPLICA_RELAY);
  });
}
