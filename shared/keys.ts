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

/** What every node is to know of a key, by its hash: whose it is, or that it was revoked, for good. */
export type KeyChange =
  | ({ readonly revoked: false } & StoredKey)
  | { readonly revoked: true; readonly hash: Buffer };

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
       ) STRICT, WITHOUT ROWID;
       CREATE TABLE IF NOT EXISTS revoked_key (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID`,
    );
  });
}

/** A new key, and what every node is to know of it. */
export interface NewKey {
  /** It can't be read back later. */
  readonly key: string;
  readonly changes: readonly KeyChange[];
}

/**
 * Makes a key for a workspace; it is good where its change was applied.
 * @param expiresAt milliseconds since 1970; null = never
 */
export function newKey(workspaceId: string, name: string, expiresAt: number | null = null): NewKey {
  const key = `lv_${secretBytes(24).toString("base64url")}`;
  return { key, changes: [{ revoked: false, hash: hashKey(key), workspaceId, name, expiresAt }] };
}

/**
 * Takes a change into the store.
 * @returns false where it says of a key that was revoked here that it is good: revoked it stays
 */
export function applyKeyChange(db: Connection, change: KeyChange): boolean {
  const { hash } = change;
  if (change.revoked) {
    db.prepare("DELETE FROM api_key WHERE hash = ?").run(hash);
    db.prepare("INSERT OR IGNORE INTO revoked_key VALUES (?)").run(hash);
    return true;
  }
  if (db.prepare("SELECT 1 FROM revoked_key WHERE hash = ?").get(hash) !== undefined) return false;
  db.prepare(
    `INSERT INTO api_key (hash, workspace_id, name, expires_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (hash) DO UPDATE SET workspace_id = excluded.workspace_id, name = excluded.name,
       expires_at = excluded.expires_at`,
  ).run(hash, change.workspaceId, change.name, change.expiresAt);
  return true;
}

/** Takes changes into the store, all or none. */
export function applyKeyChanges(db: Connection, changes: readonly KeyChange[]): void {
  const apply = db.transaction(() => {
    for (const change of changes) applyKeyChange(db, change);
  });
  apply.immediate();
}

/** Makes a key and takes it into the store. @returns the key, which can't be read back later */
export function createKey(
  db: Connection,
  workspaceId: string,
  name: string,
  expiresAt: number | null = null,
): string {
  const { key, changes } = newKey(workspaceId, name, expiresAt);
  applyKeyChanges(db, changes);
  return key;
}

/** All that the store knows of keys, the revoked ones too. */
export const keysKnownHere = (db: Connection): KeyChange[] => [
  ...listKeys(db).map((key) => ({ revoked: false as const, ...key })),
  ...db
    .prepare<[], { hash: Buffer }>("SELECT hash FROM revoked_key ORDER BY hash")
    .all()
    .map(({ hash }) => ({ revoked: true as const, hash })),
];

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

/** The change that revokes the one key whose hash begins so. @throws Error where none, or several, begin so */
export const revocation = (db: Connection, hashPrefix: string): KeyChange[] => [
  { revoked: true, hash: findKey(db, hashPrefix).hash },
];

/**
 * Makes another key for the workspace of the one whose hash begins so, which stays good until a time.
 * @param oldExpiresAt milliseconds since 1970; a key that expires sooner is not prolonged
 * @throws Error where none, or several, begin so
 */
export function rotation(
  db: Connection,
  hashPrefix: string,
  { oldExpiresAt, newExpiresAt }: { readonly oldExpiresAt: number; readonly newExpiresAt: number | null },
): NewKey {
  const old = findKey(db, hashPrefix);
  const { key, changes } = newKey(old.workspaceId, old.name, newExpiresAt);
  const expiresAt = Math.min(old.expiresAt ?? oldExpiresAt, oldExpiresAt);
  return { key, changes: [{ revoked: false, ...old, expiresAt }, ...changes] };
}

/** Revokes the one key whose hash begins so, in this store. @throws Error as `revocation` */
export function revokeKey(db: Connection, hashPrefix: string): void {
  applyKeyChanges(db, revocation(db, hashPrefix));
}
