import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomId } from "../../shared/clock.ts";

/**
 * The name by which databases that take turns know each other. A copy of a folder is another database: the name has the
 * inode of the small file that keeps it. A restart, also of a container on the same volume, changes nothing.
 */
export function databaseName(databaseDir: string): string {
  const file = join(databaseDir, "database.id");
  if (!existsSync(file)) writeFileSync(file, `${randomId()}\n`, { mode: 0o600 });
  return `${readFileSync(file, "utf8").trim()} ${statSync(file, { bigint: true }).ino}`;
}
