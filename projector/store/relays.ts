import type { Connection } from "../../shared/sqlite.ts";

/** How far each relay and webhook endpoint has come in the changes. */
export function createRelays(db: Connection) {
  const get = db.prepare<[string], number>("SELECT number FROM relay WHERE name = ?").pluck();
  const named = db.prepare<[string, string], { name: string; number: number }>(
    "SELECT name, number FROM relay WHERE name >= ? AND name < ?",
  );
  const set = db.prepare<[string, number]>(
    "INSERT INTO relay VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
  );
  const remove = db.prepare<[string]>("DELETE FROM relay WHERE name = ?");
  const names = db.prepare<[], string>("SELECT name FROM relay").pluck();
  return {
    names: (): string[] => names.all(),
    /** The number of the last change that it passed on; 0 where it has none, so that it begins with the first. */
    position: (name: string): number => get.get(name) ?? 0,
    /** All whose names begin so, by what comes behind that. */
    beginning: (prefix: string): ReadonlyMap<string, number> =>
      new Map(
        named
          .all(prefix, `${prefix}\u{10ffff}`)
          .map(({ name, number }) => [name.slice(prefix.length), number] as const),
      ),
    advance: (name: string, number: number): void => void set.run(name, number),
    remove: (name: string): void => void remove.run(name),
  };
}
