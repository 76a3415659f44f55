import { readdirSync, readFileSync } from "node:fs";
import type { Connection } from "../../shared/sqlite.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";

const FOLDER = new URL("migrations/", import.meta.url);

/** The database is of a schema that this program can't bring to its own. The message says what to do. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

/**
 * Brings the database to this program's schema version, each step in a transaction of its own. The steps' files are
 * named by the version that they lead to.
 * @throws SchemaError where a newer program wrote it, or one that is older than the first step
 */
export function migrate(db: Connection): void {
  const found = versionOf(db);
  const steps = readdirSync(FOLDER)
    .sort()
    .map((file) => ({ file, version: Number.parseInt(file, 10) }));
  requireKnown(found, steps[0]?.version ?? 0);
  for (const { file, version } of steps) {
    if (version <= found) continue;
    const step = db.transaction(() => {
      if (versionOf(db) >= version) return;
      db.exec(readFileSync(new URL(file, FOLDER), "utf8"));
      db.pragma(`user_version = ${version}`);
    });
    step.immediate();
  }
}

/** @throws SchemaError where this program can't read the database */
export function requireSchema(db: Connection): void {
  const found = versionOf(db);
  // Whoever made the file died before it made the tables.
  if (found === 0) throw new SchemaError("the view database holds nothing yet; start a projector");
  requireKnown(found, DATABASE_VERSION);
}

function requireKnown(found: number, first: number): void {
  if (found > DATABASE_VERSION) {
    throw new SchemaError(
      `the view database has schema version ${found}; this program knows up to ${DATABASE_VERSION}. ` +
        "Run the newer program, or switch to a generation that this one made (npx lead-view generations list)",
    );
  }
  if (found !== 0 && found < first) {
    throw new SchemaError(
      `the view database has schema version ${found}, of an older program; fold its history again: npx lead-view rebuild`,
    );
  }
}

const versionOf = (db: Connection): number => Number(db.pragma("user_version", { simple: true }));
