import { hash, randomBytes } from "node:crypto";
import { type Connection, openWriter } from "./sqlite.ts";

/** A stored API key: never the key itself, only its SHA-256 (design.md section 7). */
export interface StoredKey {
  readonly hash: Buffer;
  readonly workspaceId: string;
  readonly name: string;
}

export const hashKey = (key: string): Buffer => hash("sha256", key, "buffer");

/** Opens the key store, creating it where there is none. */
export function openKeys(file: string): Connection {
  const db = openWriter(file);
  db.exec(
    `CREATE TABLE IF NOT EXISTS api_key (
       hash BLOB PRIMARY KEY, workspace_id TEXT NOT NULL, name TEXT NOT NULL
     ) STRICT, WITHOUT ROWID`,
  );
  return db;
}

/** Makes a key for a workspace and returns it; it can't be read back later. */
export function createKey(db: Connection, workspaceId: string, name: string): string {
  const key = `lv_${randomBytes(24).toString("base64url")}`;
  db.prepare("INSERT INTO api_key (hash, workspace_id, name) VALUES (?, ?, ?)").run(
    hashKey(key),
    workspaceId,
    name,
  );
  return key;
}

export const listKeys = (db: Connection): StoredKey[] =>
  db.prepare<[], StoredKey>("SELECT hash, workspace_id AS workspaceId, name FROM api_key").all();

/**
 * Revokes the one key whose hash begins so, in hexadecimal.
 * @returns how many keys begin so; only where it is 1 was anything revoked
 */
export function revokeKey(db: Connection, hashPrefix: string): number {
  const found = listKeys(db).filter(({ hash }) => hash.toString("hex").startsWith(hashPrefix.toLowerCase()));
  if (found.length === 1) db.prepare("DELETE FROM api_key WHERE hash = ?").run(found[0]?.hash);
  return found.length;
}
