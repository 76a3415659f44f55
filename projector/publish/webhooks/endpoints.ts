import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Connection, openWriter } from "../../../shared/sqlite.ts";

/** An address that is told of a workspace's changed views. */
export interface Endpoint {
  readonly id: string;
  readonly workspaceId: string;
  readonly url: string;
  /** Standard Webhooks: `whsec_` and base64. */
  readonly secret: string;
  /** The number of the last change that was delivered, or given up. */
  readonly seq: number;
  /** Tries of the change behind that one. */
  readonly attempts: number;
  /** Milliseconds since 1970; no try before. */
  readonly nextTryAt: number;
}

/** A change that an endpoint did not take: the dead letter of a webhook. */
export interface Undelivered {
  readonly id: number;
  readonly endpointId: string;
  readonly leadId: string;
  readonly version: number;
  readonly error: string;
  readonly failedAt: string;
}

/** The file of the endpoints: beside the views, since a rebuild replaces those. */
export const webhooksFile = (databaseDir: string): string => join(databaseDir, "webhooks.sqlite");

const COLUMNS = "id, workspace_id AS workspaceId, url, secret, seq, attempts, next_try_at AS nextTryAt";

/** Opens the endpoints' store, creating it where there is none. */
export function openEndpoints(file: string) {
  const db: Connection = openWriter(file);
  db.exec(`
    CREATE TABLE IF NOT EXISTS endpoint (
      id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL,
      seq INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_try_at INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE IF NOT EXISTS undelivered (
      id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint_id TEXT NOT NULL, lead_id TEXT NOT NULL, version INTEGER NOT NULL,
      error TEXT NOT NULL, failed_at TEXT NOT NULL
    ) STRICT`);
  const all = db.prepare<[], Endpoint>(`SELECT ${COLUMNS} FROM endpoint ORDER BY id`);
  const insert = db.prepare(
    "INSERT INTO endpoint (id, workspace_id, url, secret, seq) VALUES (?, ?, ?, ?, ?)",
  );
  const remove = db.prepare<[string]>("DELETE FROM endpoint WHERE id = ?");
  const advance = db.prepare("UPDATE endpoint SET seq = ?, attempts = 0, next_try_at = 0 WHERE id = ?");
  const postpone = db.prepare("UPDATE endpoint SET attempts = attempts + 1, next_try_at = ? WHERE id = ?");
  const giveUp = db.prepare(
    "INSERT INTO undelivered (endpoint_id, lead_id, version, error, failed_at) VALUES (?, ?, ?, ?, ?)",
  );
  const undelivered = db.prepare<[], Undelivered>(
    "SELECT id, endpoint_id AS endpointId, lead_id AS leadId, version, error, failed_at AS failedAt FROM undelivered ORDER BY id",
  );
  const forget = db.prepare<[number]>("DELETE FROM undelivered WHERE id = ?");
  return {
    all: (): Endpoint[] => all.all(),
    /** Adds an endpoint that is told of what comes behind a change's number. */
    add(workspaceId: string, url: string, seq: number): Endpoint {
      const id = randomUUID();
      const secret = `whsec_${randomBytes(24).toString("base64")}`;
      insert.run(id, workspaceId, url, secret, seq);
      return { id, workspaceId, url, secret, seq, attempts: 0, nextTryAt: 0 };
    },
    /** @returns false where there is none */
    remove: (id: string): boolean => remove.run(id).changes === 1,
    advance: (id: string, seq: number): void => void advance.run(seq, id),
    postpone: (id: string, nextTryAt: number): void => void postpone.run(nextTryAt, id),
    giveUp: (letter: Omit<Undelivered, "id">): void =>
      void giveUp.run(letter.endpointId, letter.leadId, letter.version, letter.error, letter.failedAt),
    undelivered: (): Undelivered[] => undelivered.all(),
    /** @returns false where there is none */
    forget: (id: number): boolean => forget.run(id).changes === 1,
    close: () => db.close(),
  };
}

export type Endpoints = ReturnType<typeof openEndpoints>;
