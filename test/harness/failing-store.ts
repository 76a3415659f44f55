import type { Store } from "../../projector/store/store.ts";

/** Trouble with a disk that passes. */
export const diskTrouble = (): Error =>
  Object.assign(new Error("disk I/O error"), { name: "SqliteError", code: "SQLITE_IOERR" });

/**
 * A store whose next transaction, once it is told to fail, does all its work and is then rolled back.
 * @param trouble what the transaction fails with
 */
export function failingStore(store: Store, trouble: () => Error) {
  let fails = false;
  const failing =
    (transaction: Store["transaction"]): Store["transaction"] =>
    (work) =>
      transaction((next) => {
        const result = work(next);
        if (!fails) return result;
        fails = false;
        throw trouble();
      });
  return {
    failNext: () => {
      fails = true;
    },
    heal: () => {
      fails = false;
    },
    store: { ...store, transaction: failing(store.transaction), erasing: failing(store.erasing) },
  };
}
