import type { Connection } from "../../shared/sqlite.ts";

/** A lead that is still to be erased from a kept generation. */
export interface EraseDuty {
  readonly generation: number;
  readonly leadId: string;
}

/** The ids of erased leads, and where they are still to be erased. */
export function createErased(db: Connection) {
  const has = db.prepare<[string], unknown>("SELECT 1 FROM erased WHERE lead_id = ?");
  const add = db.prepare<[string]>("INSERT INTO erased VALUES (?, 0) ON CONFLICT DO NOTHING");
  const countDropped = db.prepare<[number, string]>(
    "UPDATE erased SET dropped = dropped + ? WHERE lead_id = ?",
  );
  const duties = db.prepare<[number], EraseDuty>(
    "SELECT generation, lead_id AS leadId FROM erase_duty ORDER BY generation, lead_id LIMIT ?",
  );
  const countDuties = db.prepare<[], number>("SELECT count(*) FROM erase_duty").pluck();
  const addDuty = db.prepare<[number, string]>("INSERT INTO erase_duty VALUES (?, ?) ON CONFLICT DO NOTHING");
  const endDuty = db.prepare<[number, string]>("DELETE FROM erase_duty WHERE generation = ? AND lead_id = ?");
  const endDuties = db.prepare<[number]>("DELETE FROM erase_duty WHERE generation = ?");
  return {
    has: (leadId: string): boolean => has.get(leadId) !== undefined,
    add: (leadId: string): void => void add.run(leadId),
    countDropped: (leadId: string, records: number): void => void countDropped.run(records, leadId),
    /** The first duties that are left, ordered by generation. */
    duties: (most: number): EraseDuty[] => duties.all(most),
    countDuties: (): number => countDuties.get() as number,
    addDuty: ({ generation, leadId }: EraseDuty): void => void addDuty.run(generation, leadId),
    endDuty: ({ generation, leadId }: EraseDuty): void => void endDuty.run(generation, leadId),
    /** A generation is gone, or was brought up to date: nothing is left to be erased from it. */
    endDuties: (generation: number): void => void endDuties.run(generation),
  };
}
