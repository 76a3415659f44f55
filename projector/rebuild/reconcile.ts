import { type Connection, openWriter } from "../../shared/sqlite.ts";
import { UNNUMBERED } from "../projection/writing.ts";
import { durably } from "../store/durably.ts";
import type { Store } from "../store/store.ts";

/** Up to which changes of either side two generations were compared. */
export interface Compared {
  readonly mine: number;
  readonly serving: number;
}

const LAST = (schema: "main" | "serving"): string =>
  `SELECT CAST(value AS INTEGER) FROM ${schema}.meta WHERE name = 'number'`;

/**
 * Gives views of a generation the serving one's numbers where their bytes are the same, and marks the others as still to
 * be numbered (rule: one number). It looks only at what changed on either side since the last comparison.
 * @param servingFile the serving generation's database
 */
export function compareNumbers(store: Store, servingFile: string, since: Compared | undefined): Compared {
  return besideServing(store.db, servingFile, (db) => {
    const compared: Compared = {
      mine: db.prepare<[], number>(LAST("main")).pluck().get() as number,
      serving: db.prepare<[], number>(LAST("serving")).pluck().get() as number,
    };
    const { mine, serving } = since ?? { mine: -1, serving: -1 };
    db.exec("CREATE TEMP TABLE candidate (lead_id TEXT PRIMARY KEY) WITHOUT ROWID");
    const changed = since === undefined ? "1" : "number > ?";
    const bind = (number: number) => (since === undefined ? [] : [number]);
    db.prepare(
      `INSERT OR IGNORE INTO temp.candidate SELECT lead_id FROM main.lead_view WHERE ${changed} OR number = ${UNNUMBERED}`,
    ).run(...bind(mine));
    db.prepare(
      `INSERT OR IGNORE INTO temp.candidate SELECT lead_id FROM serving.lead_view WHERE ${changed}`,
    ).run(...bind(serving));
    db.exec(`
      UPDATE main.lead_view AS m SET
        number = CASE WHEN same THEN s.number ELSE ${UNNUMBERED} END,
        section_numbers = CASE WHEN same THEN s.section_numbers ELSE '[]' END
      FROM (
        SELECT c.lead_id, s.number, s.section_numbers,
          s.lead_id IS NOT NULL AND m.body IS s.body AND m.url_slots IS s.url_slots AND m.workspace_id = s.workspace_id
            AS same
        FROM temp.candidate c JOIN main.lead_view m ON m.lead_id = c.lead_id
        LEFT JOIN serving.lead_view s ON s.lead_id = c.lead_id
      ) AS s WHERE s.lead_id = m.lead_id AND (NOT same OR m.number <> s.number);
      DROP TABLE temp.candidate`);
    return compared;
  });
}

export interface Taking {
  /** This generation's own number. */
  readonly number: number;
  /** The one that serves until now. */
  readonly from: number;
  /** All others, the serving one among them. */
  readonly kept: readonly number[];
  /** False where a loss was accepted: the log may be another one than the serving generation's. */
  readonly sameLog: boolean;
  /** False where views with the same bytes may not be what was told last: all get new numbers (rule: one number). */
  readonly keepsNumbers: boolean;
}

/**
 * Ends the comparison at the moment of the switch, with both generations at rest: all views that differ get numbers
 * above every number that was ever given; views that only the serving one has become tombstones; what stands beside the
 * views and is not folded from the log (relays' positions and what they set aside, discarded letters, erase duties) is taken over.
 */
export function takeOver(
  store: Store,
  servingFile: string,
  since: Compared | undefined,
  { number, from, kept, sameLog, keepsNumbers }: Taking,
): void {
  compareNumbers(store, servingFile, since);
  besideServing(store.db, servingFile, (db) => {
    const last = db.prepare<[], number>(LAST("serving")).pluck().get() as number;
    store.numbers.raise(last);
    db.exec(`
      INSERT INTO main.lead_view (lead_id, workspace_id, number, status, section_numbers, section_ends, section_hashes)
        SELECT lead_id, workspace_id, CASE WHEN body IS NULL THEN number ELSE ${UNNUMBERED} END, NULL, '[]', '[]', ''
        FROM serving.lead_view s WHERE NOT EXISTS (SELECT 1 FROM main.lead_view m WHERE m.lead_id = s.lead_id);
      DELETE FROM main.relay;
      INSERT INTO main.relay SELECT * FROM serving.relay;
      DELETE FROM main.set_aside;
      INSERT INTO main.set_aside SELECT * FROM serving.set_aside;
      DELETE FROM main.erase_duty;
      DELETE FROM main.meta WHERE name = 'held_back';
      INSERT INTO main.meta SELECT * FROM serving.meta WHERE name = 'held_back'`);
    // In another log the same position is another record.
    if (sameLog) {
      db.exec(`
      INSERT OR IGNORE INTO main.discarded SELECT * FROM serving.discarded;
      DELETE FROM main.dead_letter WHERE (topic, "partition", "offset") IN (SELECT * FROM main.discarded);
      INSERT INTO main.meta SELECT 'traces', '1' WHERE changes() > 0 ON CONFLICT DO NOTHING;
      UPDATE main.dead_letter AS m SET published = 1 WHERE EXISTS (
        SELECT 1 FROM serving.dead_letter s WHERE s.published = 1
          AND s.topic = m.topic AND s."partition" = m."partition" AND s."offset" = m."offset")`);
    }
    db.prepare("INSERT INTO main.erase_duty SELECT * FROM serving.erase_duty WHERE generation <> ?").run(
      number,
    );
    // What was erased on the way to this moment was no duty in anybody's transaction yet.
    for (const generation of kept) {
      db.prepare(
        `INSERT OR IGNORE INTO main.erase_duty SELECT ?, lead_id FROM main.erased e
         WHERE NOT EXISTS (SELECT 1 FROM serving.erased s WHERE s.lead_id = e.lead_id)`,
      ).run(generation);
    }
    // A file that is still to be rewritten after an erase is so once anything is erased from it.
    db.prepare(
      `INSERT OR IGNORE INTO main.erase_duty SELECT ?, lead_id FROM serving.erased
       WHERE EXISTS (SELECT 1 FROM serving.meta WHERE name = 'unscrubbed') LIMIT 1`,
    ).run(from);
    if (!keepsNumbers)
      db.exec(
        `UPDATE main.lead_view SET number = ${UNNUMBERED}, section_numbers = '[]' WHERE body IS NOT NULL`,
      );
    numberAll(store);
  });
}

/**
 * Makes it a duty to erase from a generation what was erased from this one while the other was built: as it is kept from
 * now on, later erases find it. To be called before it is kept: a power cut takes no duty of a generation that is there.
 * @param file where it is until then
 */
export function addMissedDuties({ db, erased }: Store, file: string, generation: number): void {
  // Not a reader's connection, which would leave a write-ahead log behind in a file that is about to be renamed.
  const other = openWriter(file, { mustExist: true });
  try {
    const has = other.prepare<[string], unknown>("SELECT 1 FROM erased WHERE lead_id = ?");
    const all = db.prepare<[], string>("SELECT lead_id FROM erased").pluck();
    const missed = all.all().filter((leadId) => has.get(leadId) === undefined);
    const note = db.transaction(() => {
      for (const leadId of missed) erased.addDuty({ generation, leadId });
    });
    if (missed.length > 0) durably(db, () => note.immediate());
  } finally {
    other.close();
  }
}

/**
 * Makes a generation ready to serve where none did before: what it knows to be erased is a duty in all that are kept, for
 * nobody knows what they hold.
 */
export function beginToServe(store: Store, kept: readonly number[]): void {
  store.transaction(() => {
    for (const generation of kept)
      store.db
        .prepare<[number]>("INSERT OR IGNORE INTO main.erase_duty SELECT ?, lead_id FROM main.erased")
        .run(generation);
    numberAll(store);
  });
}

/** Numbers what has none, in the order of the leads' ids. */
export function numberAll(store: Store): void {
  store.numbers.during((next) => {
    const pending = store.db
      .prepare<[number], string>("SELECT lead_id FROM main.lead_view WHERE number = ? ORDER BY lead_id")
      .pluck()
      .all(UNNUMBERED);
    const give = store.db.prepare<[number, string]>("UPDATE main.lead_view SET number = ? WHERE lead_id = ?");
    for (const leadId of pending) give.run(next(), leadId);
  });
}

/** Does the work in one transaction, with the serving database to read from. */
function besideServing<T>(db: Connection, servingFile: string, work: (db: Connection) => T): T {
  db.prepare("ATTACH ? AS serving").run(servingFile);
  try {
    return db.transaction(() => work(db)).immediate();
  } finally {
    db.exec("DETACH serving");
  }
}
