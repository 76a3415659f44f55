import type { Store } from "../store/store.ts";

/** The positions of records that a new generation could not fold and the serving one could. */
export function newDeadLetters(fresh: Store, serving: Store): string[] {
  const positions = (store: Store) =>
    store.db
      .prepare<[], string>(`SELECT topic || '/' || "partition" || '/' || "offset" FROM dead_letter`)
      .pluck()
      .all();
  const known = new Set(positions(serving));
  return positions(fresh).filter((position) => !known.has(position));
}
