import { every, wallClock } from "../shared/clock.ts";
import { hashKey, listKeys } from "../shared/keys.ts";
import { openReader } from "../shared/sqlite.ts";

/** Milliseconds; a revoked key stops within this time. */
const RELOAD_MS = 500;

/** An API key as the API knows it. */
export interface KnownKey {
  /** Names the key without giving it away: its hash. */
  readonly id: string;
  readonly workspaceId: string;
  /** Milliseconds since 1970 from which on it is refused; null = never. */
  readonly expiresAt: number | null;
}

/** Finds API keys. */
export interface Keys {
  /** Undefined where the key is not known, or has expired. */
  find(key: string): KnownKey | undefined;
  /** The workspace of a key; undefined where the key is not known, or has expired. */
  workspaceOf(key: string): string | undefined;
  close(): void;
}

/**
 * Reads the key store and follows its changes. Stored are hashes only; a key that was found once is kept in memory,
 * so that a request costs one map look-up. That look-up compares V8's seeded hash of the whole key before any of its
 * characters, so its time says nothing about a known key's text (rule: keys are compared in constant time).
 */
export function openKeysReader(file: string): Keys {
  const db = openReader(file);
  let byHash = new Map<string, KnownKey>();
  let known = new Map<string, KnownKey>();
  let seen: unknown;
  const reload = () => {
    const version = db.pragma("data_version", { simple: true });
    if (version === seen) return;
    const keys = listKeys(db).map(({ hash, workspaceId, expiresAt }) => {
      const id = hash.toString("base64");
      return [id, { id, workspaceId, expiresAt }] as const;
    });
    byHash = new Map(keys);
    known = new Map();
    seen = version;
  };
  reload();
  const timer = every(RELOAD_MS, () => {
    try {
      reload();
    } catch {
      // A store that is locked now is looked at again; what is known stays good meanwhile.
    }
  }).unref();
  const findHashed = (key: string): KnownKey | undefined => {
    const hash = hashKey(key).toString("base64");
    // A key that was made just now is good at once.
    if (!byHash.has(hash)) reload();
    const found = byHash.get(hash);
    if (found !== undefined) known.set(key, found);
    return found;
  };
  const find = (key: string): KnownKey | undefined => {
    const found = known.get(key) ?? findHashed(key);
    if (found === undefined || (found.expiresAt !== null && found.expiresAt <= wallClock())) return undefined;
    return found;
  };
  return {
    find,
    workspaceOf: (key) => find(key)?.workspaceId,
    close() {
      timer.stop();
      db.close();
    },
  };
}
