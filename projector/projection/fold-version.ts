import type { Store } from "../store/store.ts";

/**
 * The version of the rules that make a view of events: decoding, folding and assembling. Whoever changes what a view
 * says of the same events raises it (rule: fold rules have a version).
 */
export const FOLD_VERSION = 2;

/** Notes that the views of a database that has none yet are made by this program's rules. */
export const markFoldRules = (store: Store): void => store.meta.set("fold_version", String(FOLD_VERSION));

/**
 * The version of the rules that a database's views were made by, where it is not this program's.
 * @returns undefined where all views are of this program's rules
 */
export function otherFoldRules(store: Store): string | undefined {
  const found = store.meta.get("fold_version");
  if (found === undefined && store.positions.all().length === 0) {
    markFoldRules(store);
    return undefined;
  }
  return found === String(FOLD_VERSION) ? undefined : (found ?? "unknown");
}
