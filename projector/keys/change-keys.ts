import type { Config } from "../../shared/config.ts";
import { keysFile } from "../../shared/config.ts";
import { applyKeyChanges, type KeyChange, openKeys } from "../../shared/keys.ts";
import type { Logger } from "../../shared/log.ts";
import type { Connection } from "../../shared/sqlite.ts";
import { bringKeysUpToDate } from "./follow-keys.ts";
import { publishKeys } from "./publish-keys.ts";

/**
 * Changes keys, once this node knows what was changed on others: in the topic first, where there is Kafka, so that every node gets to know of it, and then in this node's
 * store, which learns it from the topic too where this process dies in between.
 * @param make the changes, made of what the store holds; anything that comes along with them is given back
 * @throws Error where nothing was changed, or the topic did not answer
 */
export async function changeKeys<T extends { readonly changes: readonly KeyChange[] }>(
  config: Config,
  log: Logger,
  make: (db: Connection) => T,
): Promise<T> {
  const { kafka } = config;
  const db = openKeys(keysFile(config));
  try {
    if (kafka !== undefined) {
      const found = await bringKeysUpToDate(kafka, db, log).catch((error: Error) => error);
      if (found !== undefined)
        throw new Error(`the topic of keys can't be reached, so that nothing was changed: ${found.message}`);
    }
    const made = make(db);
    if (kafka !== undefined) await publishKeys(kafka, made.changes, log);
    applyKeyChanges(db, made.changes);
    return made;
  } finally {
    db.close();
  }
}
