import { hashKey, listKeys } from "../shared/keys.ts";
import { openReader } from "../shared/sqlite.ts";

/** Milliseconds; a revoked key stops within this time. */
const RELOAD_MS = 500;

/** Finds the workspace of an API key. */
export interface Keys {
  /** Undefined where the key is not known. */
  workspaceOf(key: string): string | undefined;
  close(): void;
}

/**
 * Reads the key store and follows its changes. Stored are hashes only; a key that was found once is kept in memory,
 * so that a request costs one map look-up. That look-up compares V8's seeded hash of the whole key before any of its
 * characters, so its time says nothing about a known key's text (design.md section 7).
 */
export function openKeysReader(file: string): Keys {
  const db = openReader(file);
  let byHash = new Map<string, string>();
  let known = new Map<string, string>();
  let seen: unknown;
  const reload = () => {
    const version = db.pragma("data_version", { simple: true });
    if (version === seen) return;
    seen = version;
    byHash = new Map(listKeys(db).map(({ hash, workspaceId }) => [hash.toString("base64"), workspaceId]));
    known = new Map();
  };
  reload();
  const timer = setInterval(reload, RELOAD_MS).unref();
  return {
    workspaceOf(key) {
      const cached = known.get(key);
      if (cached !== undefined) return cached;
      const hash = hashKey(key).toString("base64");
      // A key that was made just now is good at once.
      if (!byHash.has(hash)) reload();
      const workspaceId = byHash.get(hash);
      if (workspaceId !== undefined) known.set(key, workspaceId);
      return workspaceId;
    },
    close() {
      clearInterval(timer);
      db.close();
    },
  };
}
