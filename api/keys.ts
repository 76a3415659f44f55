import { hashKey, listKeys, type StoredKey } from "../shared/keys.ts";
import { openReader } from "../shared/sqlite.ts";

/** Milliseconds; a revoked key stops within this time. */
const RELOAD_MS = 500;

/** Finds the workspace of an API key. */
export interface Keys {
  /** Undefined where the key is not known, or has expired. */
  workspaceOf(key: string): string | undefined;
  close(): void;
}

type Good = Pick<StoredKey, "workspaceId" | "expiresAt">;

/**
 * Reads the key store and follows its changes. Stored are hashes only; a key that was found once is kept in memory,
 * so that a request costs one map look-up. That look-up compares V8's seeded hash of the whole key before any of its
 * characters, so its time says nothing about a known key's text (design.md section 7).
 */
export function openKeysReader(file: string): Keys {
  const db = openReader(file);
  let byHash = new Map<string, Good>();
  let known = new Map<string, Good>();
  let seen: unknown;
  const reload = () => {
    const version = db.pragma("data_version", { simple: true });
    if (version === seen) return;
    seen = version;
    byHash = new Map(listKeys(db).map((key) => [key.hash.toString("base64"), key]));
    known = new Map();
  };
  reload();
  const timer = setInterval(reload, RELOAD_MS).unref();
  const find = (key: string): Good | undefined => {
    const hash = hashKey(key).toString("base64");
    // A key that was made just now is good at once.
    if (!byHash.has(hash)) reload();
    const found = byHash.get(hash);
    if (found !== undefined) known.set(key, found);
    return found;
  };
  return {
    workspaceOf(key) {
      const found = known.get(key) ?? find(key);
      if (found === undefined || (found.expiresAt !== null && found.expiresAt <= Date.now()))
        return undefined;
      return found.workspaceId;
    },
    close() {
      clearInterval(timer);
      db.close();
    },
  };
}
