import type { Store } from "../../../projector/store/store.ts";

/** The rules of the program that runs now: an upgrade raises it. */
export let FOLD_VERSION = 2;

export function upgradeRules(version: number): void {
  FOLD_VERSION = version;
}

export const markFoldRules = (store: Store): void => store.meta.set("fold_version", String(FOLD_VERSION));

export function otherFoldRules(store: Store): string | undefined {
  const found = store.meta.get("fold_version");
  if (found === undefined && store.positions.all().length === 0) {
    markFoldRules(store);
    return undefined;
  }
  return found === String(FOLD_VERSION) ? undefined : (found ?? "unknown");
}
