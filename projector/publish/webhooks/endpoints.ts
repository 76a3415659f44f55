import { join } from "node:path";
import { randomId, secretBytes } from "../../../shared/clock.ts";
import { type Connection, openReader, openWriter, setUp } from "../../../shared/sqlite.ts";

/** An address that is told of a workspace's changed views. */
export interface Endpoint {
  readonly id: string;
  readonly workspaceId: string;
  readonly url: string;
  /** Standard Webhooks: `whsec_` and base64. */
  readonly secret: string;
  /** The one before, with which messages are signed too until a time (milliseconds since 1970); null = none. */
  readonly oldSecret: string | null;
  readonly oldSecretUntil: number;
  /** The last number that was given when it was added: it is told of what comes behind. */
  readonly after: number;
  /** Why nothing is sent to it; null = it is active. */
  readonly disabledReason: string | null;
  /** Milliseconds since 1970 of the first failure behind the last success; null = it takes what it is sent. */
  readonly failingSince: number | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** The file of the endpoints: beside the views, since a rebuild replaces those. */
export const webhooksFile = (databaseDir: string): string => join(databaseDir, "webhooks.sqlite");

export const RELAY_PREFIX = "webhook:";

/** Where an endpoint stands in the changes, and what is set aside for it, goes by this name in the view database. */
export const relayOf = ({ id }: Pick<Endpoint, "id">): string => RELAY_PREFIX + id;

const COLUMNS = `id, workspace_id AS workspaceId, url, secret, old_secret AS oldSecret, old_secret_until AS oldSecretUntil,
  after_number AS after, disabled_reason AS disabledReason, failing_since AS failingSince, created_at AS createdAt`;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS webhook_endpoint (
    id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL,
    old_secret TEXT, old_secret_until INTEGER NOT NULL DEFAULT 0, after_number INTEGER NOT NULL,
    disabled_reason TEXT, failing_since INTEGER, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`;

const newSecret = (): string => `whsec_${secretBytes(24).toString("base64")}`;

/** The endpoints as everybody may read them. @throws Error where the file is not there */
export function openEndpointsToRead(file: string) {
  const db = openReader(file);
  return { ...reading(db), close: () => db.close() };
}

/**
 * Opens the endpoints' store for the owner, creating it where there is none. It waits for no lock: a file that somebody
 * else holds is an error at once, so that nobody's fold waits for it.
 */
export function openEndpoints(file: string) {
  const db = setUp(openWriter(file), (opened) => {
    // A secret that was shown, or a removal that was confirmed, outlives a power cut.
    opened.pragma("synchronous = FULL");
    // A few small rows a day: moved into the database by the write that makes it worth it.
    opened.pragma("wal_autocheckpoint = 64");
    opened.exec(SCHEMA);
    opened.pragma("busy_timeout = 0");
  });
  const insert = db.prepare(
    "INSERT INTO webhook_endpoint (id, workspace_id, url, secret, after_number, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const remove = db.prepare<[string]>("DELETE FROM webhook_endpoint WHERE id = ?");
  const disable = db.prepare<[string, string]>(
    "UPDATE webhook_endpoint SET disabled_reason = ? WHERE id = ?",
  );
  const enable = db.prepare<[string]>(
    "UPDATE webhook_endpoint SET disabled_reason = NULL, failing_since = NULL WHERE id = ?",
  );
  const failing = db.prepare<[number | null, string]>(
    "UPDATE webhook_endpoint SET failing_since = ? WHERE id = ?",
  );
  const rotate = db.prepare<[number, string, string]>(
    "UPDATE webhook_endpoint SET old_secret = secret, old_secret_until = ?, secret = ? WHERE id = ?",
  );
  const setFact = db.prepare<[string, string]>(
    "INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  return {
    ...reading(db),
    /** Adds an endpoint that is told of what comes behind a change's number. */
    add(workspaceId: string, url: string, after: number, now: number): Endpoint {
      const [id, secret] = [randomId(), newSecret()];
      insert.run(id, workspaceId, url, secret, after, now);
      return {
        id,
        workspaceId,
        url,
        secret,
        after,
        oldSecret: null,
        oldSecretUntil: 0,
        disabledReason: null,
        failingSince: null,
        createdAt: now,
      };
    },
    remove: (id: string): void => void remove.run(id),
    disable: (id: string, reason: string): void => void disable.run(reason, id),
    /** Active again, with a clean record. */
    enable: (id: string): void => void enable.run(id),
    failing: (id: string, since: number | null): void => void failing.run(since, id),
    /** Gives a new secret; the old one signs too until a time. @returns the new one */
    rotate(id: string, oldSecretUntil: number): string {
      const secret = newSecret();
      rotate.run(oldSecretUntil, secret, id);
      return secret;
    },
    setFact: (name: "home", value: string): void => void setFact.run(name, value),
    close: () => db.close(),
  };
}

function reading(db: Connection) {
  const all = db.prepare<[], Endpoint>(`SELECT ${COLUMNS} FROM webhook_endpoint ORDER BY created_at, id`);
  const get = db.prepare<[string], Endpoint>(`SELECT ${COLUMNS} FROM webhook_endpoint WHERE id = ?`);
  const fact = db.prepare<[string], string>("SELECT value FROM fact WHERE name = ?").pluck();
  return {
    all: (): Endpoint[] => all.all(),
    get: (id: string): Endpoint | undefined => get.get(id),
    fact: (name: "home"): string | undefined => fact.get(name),
  };
}

export type Endpoints = ReturnType<typeof openEndpoints>;
