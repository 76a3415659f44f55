import type { Connection } from "../../shared/sqlite.ts";

/** Facts of the database file: see the table's comment in migrations/. */
export type Fact =
  | "fold_version"
  | "shard"
  | "superseded"
  | "held_back"
  | "unscrubbed"
  | "traces"
  | "replica";

export function createMeta(db: Connection) {
  const get = db.prepare<[string], string>("SELECT value FROM meta WHERE name = ?").pluck();
  const set = db.prepare<[string, string]>(
    "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const remove = db.prepare<[string]>("DELETE FROM meta WHERE name = ?");
  return {
    get: (name: Fact): string | undefined => get.get(name),
    set: (name: Fact, value: string): void => void set.run(name, value),
    remove: (name: Fact): void => void remove.run(name),
  };
}
