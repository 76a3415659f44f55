import { hash } from "node:crypto";
import { secretBytes } from "./clock.ts";
import { type Connection, openWriter, setUp } from "./sqlite.ts";

/** A stored API key: never the key itself, only its SHA-256 (rule: a key learns nothing of others). */
export interface StoredKey {
  readonly hash: Buffer;
  readonly workspaceId: string;
  readonly name: string;
  /** Milliseconds since 1970 from which on the key is refused; null = never. */
  readonly expiresAt: number | null;
}

export const hashKey = (key: string): Buffer => hash("sha256", key, "buffer");

/** Opens the key store, creating it where there is none. */
export function openKeys(file: string): Connection {
  return setUp(openWriter(file), (db) => {
    // Who was told that a key is revoked can rely on it, though the power fails in the next moment.
    db.pragma("synchronous = FULL");
    // Nobody else moves the write-ahead log of this file into it.
    db.pragma("wal_autocheckpoint = 100");
    db.exec(
      `CREATE TABLE IF NOT EXISTS api_key (
         hash BLOB PRIMARY KEY, workspace_id TEXT NOT NULL, name TEXT NOT NULL, expires_at INTEGER
       ) STRICT, WITHOUT ROWID`,
    );
  });
}

/**
 * Makes a key for a workspace and returns it; it can't be read back later.
 * @param expiresAt milliseconds since 1970; null = never
 */
export function createKey(
  db: Connection,
  workspaceId: string,
  name: string,
  expiresAt: number | null = null,
): string {
  const key = `lv_${secretBytes(24).toString("base64url")}`;
  db.prepare("INSERT INTO api_key (hash, workspace_id, name, expires_at) VALUES (?, ?, ?, ?)").run(
    hashKey(key),
    workspaceId,
    name,
    expiresAt,
  );
  return key;
}

export const listKeys = (db: Connection): StoredKey[] =>
  db
    .prepare<[], StoredKey>(
      "SELECT hash, workspace_id AS workspaceId, name, expires_at AS expiresAt FROM api_key ORDER BY workspace_id, name, hash",
    )
    .all();

/** The one key whose hash begins so, in hexadecimal. @throws Error where none, or several, begin so */
function findKey(db: Connection, hashPrefix: string): StoredKey {
  const found = listKeys(db).filter(({ hash }) => hash.toString("hex").startsWith(hashPrefix.toLowerCase()));
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Error(`nothing changed: ${found.length} keys begin with that hash`);
  return only;
}

/** Revokes the one key whose hash begins so. @throws Error where none, or several, begin so */
export function revokeKey(db: Connection, hashPrefix: string): void {
  db.prepare("DELETE FROM api_key WHERE hash = ?").run(findKey(db, hashPrefix).hash);
}

/**
 * Makes another key for the workspace of the one whose hash begins so, which stays good until a time.
 * @param oldExpiresAt milliseconds since 1970; a key that expires sooner is not prolonged
 * @returns the new key
 * @throws Error where none, or several, begin so
 */
export function rotateKey(
  db: Connection,
  hashPrefix: string,
  { oldExpiresAt, newExpiresAt }: { readonly oldExpiresAt: number; readonly newExpiresAt: number | null },
): string {
  const rotate = db.transaction(() => {
    const { hash, workspaceId, name, expiresAt } = findKey(db, hashPrefix);
    db.prepare("UPDATE api_key SET expires_at = ? WHERE hash = ?").run(
      Math.min(expiresAt ?? oldExpiresAt, oldExpiresAt),
      hash,
    );
    return createKey(db, workspaceId, name, newExpiresAt);
  });
  return rotate.immediate();
}
