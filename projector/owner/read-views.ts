import { commandSettings } from "../../shared/command-line/settings.ts";
import type { Store } from "../store/store.ts";

/**
 * Does something with the serving views of the folder that a command's settings name; nothing is written.
 * @throws Error where there are none
 */
export async function readViews<T>(work: (store: Store) => T): Promise<T> {
  const { openStoreToRead } = await import("../store/store.ts");
  const store = openStoreToRead(await commandSettings());
  try {
    return work(store);
  } finally {
    store.close();
  }
}
