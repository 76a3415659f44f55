import { delay } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { Store } from "../store/store.ts";
import { untilPassed } from "../store/until-passed.ts";

const LOOK_MS = 200;

/** True where nothing is published to topics: the folder was restored, and was not told to hand on (rule: a restored folder is silent). */
export const isHeldBack = ({ meta }: Pick<Store, "meta">): boolean => meta.get("held_back") !== undefined;

/** Hands on from now on. @returns false where it did already */
export function release({ meta }: Pick<Store, "meta">): boolean {
  const held = meta.get("held_back") !== undefined;
  meta.remove("held_back");
  return held;
}

/** Does the work once the folder hands on, or not at all where the signal aborts first. */
export async function whenReleased<T>(
  { store, log, signal }: { readonly store: Store; readonly log: Logger; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<void> {
  const isHeld = () => untilPassed("the view database", () => isHeldBack(store), { log, signal });
  for (let told = false; await isHeld(); told = true) {
    if (!told)
      log.warn(
        "nothing is published to topics: this folder was restored. If it is to publish, and no other does, say so: npx lead-view relays resume",
      );
    await delay(LOOK_MS, signal);
    if (signal.aborted) return;
  }
  await work();
}
