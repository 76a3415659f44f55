import type { Connection } from "../../shared/sqlite.ts";

/** Changes that are remembered: streams look many times a second, and one that lags further begins again by number. */
const MOST_KEPT = 100_000;
const PRUNED_AT_ONCE = 1_000;

/** The order in which a replica got its changes. */
export function createArrivals(db: Connection) {
  const insert = db.prepare<[string, number, number]>(
    "INSERT INTO arrival (lead_id, number, floor) VALUES (?, ?, ?)",
  );
  const bounds = db.prepare<[], { first: number | null; last: number | null }>(
    "SELECT (SELECT min(seq) FROM arrival) AS first, (SELECT max(seq) FROM arrival) AS last",
  );
  const prune = db.prepare<[number]>("DELETE FROM arrival WHERE seq <= ?");
  return {
    /** @param floor the number up to which everything had come before */
    add: (leadId: string, number: number, floor: number): void => void insert.run(leadId, number, floor),
    /** Forgets the oldest, beyond a bound. */
    prune(): void {
      const { first, last } = bounds.get() as { first: number | null; last: number | null };
      if (first !== null && last !== null && last - first > MOST_KEPT + PRUNED_AT_ONCE)
        prune.run(last - MOST_KEPT);
    },
  };
}
