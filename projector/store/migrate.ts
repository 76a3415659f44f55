import { readdirSync, readFileSync } from "node:fs";
import type { Connection } from "../../shared/sqlite.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";

const FOLDER = new URL("migrations/", import.meta.url);

/**
 * Brings the database to this program's schema version, each step in a transaction of its own.
 * @throws Error where a newer program wrote it
 */
export function migrate(db: Connection): void {
  const found = versionOf(db);
  if (found > DATABASE_VERSION) {
    throw new Error(
      `the view database has schema version ${found}; this program knows up to ${DATABASE_VERSION}. ` +
        "Run the newer program, or point DATABASE_DIR at an empty folder to fold the history again.",
    );
  }
  for (const [index, file] of readdirSync(FOLDER).sort().entries()) {
    const version = index + 1;
    if (version <= found) continue;
    const step = db.transaction(() => {
      if (versionOf(db) >= version) return;
      db.exec(readFileSync(new URL(file, FOLDER), "utf8"));
      db.pragma(`user_version = ${version}`);
    });
    step.immediate();
  }
}

const versionOf = (db: Connection): number => Number(db.pragma("user_version", { simple: true }));
