import { headersToJson } from "../source/headers.ts";
import type { LogToStore } from "./action-logs.ts";
import type { DeadLetter } from "./dead-letters.ts";
import type { IdentityRow } from "./identities.ts";
import { PIECES_OF_A_PART } from "./leads.ts";
import type { Store } from "./store.ts";
import type { ViewRow } from "./views.ts";

/**
 * Fills an empty database in one transaction that can't be undone: each row is written once and by itself, the indexes are
 * made at the end, and nothing survives a crash.
 */
export interface Bulk {
  /** @returns the part's number */
  lead(leadId: string, workspaceId: string, isOwner: boolean): number;
  /** @param content a text, or its UTF-8 */
  piece(no: number, piece: number, content: string | Buffer): void;
  log(no: number, row: LogToStore): void;
  identity(leadId: string, workspaceId: string, row: IdentityRow): void;
  view(leadId: string, row: ViewRow): void;
  /** Keeps a letter aside until `keepLetters`. */
  letter(letter: DeadLetter, failedAt: Date): void;
  /** Stores the letters but for those of leads that are erased: what was never in the file needs no overwriting. */
  keepLetters(): void;
  /**
   * Makes the indexes.
   * @throws SqliteError where a row came twice
   */
  index(): void;
  /** Ends the transaction; from now on the database is written as any other. */
  end(): void;
}

const LETTER_COLUMNS =
  'topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at, lead_id';

const CACHE_KIB = 65_536;

/** What better-sqlite3 defends a database against, unless it is told that this is meant. */
function withoutJournal(db: Store["db"]): void {
  // Held from now on: who looks whether a file is in use tells it by that, with no log to tell it by.
  db.pragma("locking_mode = EXCLUSIVE");
  db.unsafeMode(true);
  const mode = db.pragma("journal_mode = OFF", { simple: true });
  db.unsafeMode(false);
  if (mode !== "off") throw new Error(`a build wants no journal, and SQLite keeps one: ${mode}`);
}

export function openBulk({ db, views }: Store): Bulk {
  withoutJournal(db);
  db.pragma("synchronous = OFF");
  // An index's entries are sorted in files where they are many.
  db.pragma("temp_store = FILE");
  db.pragma(`cache_size = -${CACHE_KIB}`);
  const indexes = db
    .prepare<[], { readonly name: string; readonly sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    )
    .all();
  for (const { name } of indexes) db.exec(`DROP INDEX "${name}"`);
  const lead = db.prepare("INSERT INTO lead VALUES (?, ?, ?, ?)");
  const piece = db.prepare("INSERT INTO lead_piece VALUES (?, CAST(? AS TEXT))");
  const log = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT))`,
  );
  const identity = db.prepare("INSERT INTO lead_identity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db.exec(`CREATE TEMP TABLE letter_aside AS SELECT ${LETTER_COLUMNS} FROM dead_letter WHERE 0`);
  const letter = db.prepare("INSERT INTO temp.letter_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  let last = 0;
  db.exec("BEGIN EXCLUSIVE");
  return {
    lead(leadId, workspaceId, isOwner) {
      lead.run(++last, leadId, workspaceId, isOwner ? 1 : 0);
      return last;
    },
    piece: (no, number, content) => void piece.run(no * PIECES_OF_A_PART + number, content),
    log: (no, { id, createdAt, role, order, hasDocuments, text }) =>
      void log.run(no, id, createdAt, role, order, hasDocuments, text),
    identity(leadId, workspaceId, row) {
      const { externalLeadId, emailKey, phoneKey, createdAt, matchable, matches, card } = row;
      const keys = [externalLeadId, emailKey, phoneKey];
      identity.run(leadId, workspaceId, ...keys, createdAt, matchable, matches, card);
    },
    letter({ record, code, reason, leadId }, failedAt) {
      const { topic, partition, offset, key, timestamp, headers, value } = record;
      const json = JSON.stringify(headersToJson(headers));
      const at = failedAt.toISOString();
      letter.run(topic, partition, offset, key, timestamp, json, value, code, reason, at, leadId);
    },
    view: views.insert,
    keepLetters() {
      db.exec(`
        INSERT INTO dead_letter (${LETTER_COLUMNS}) SELECT * FROM temp.letter_aside
          WHERE (lead_id IS NULL OR lead_id NOT IN (SELECT lead_id FROM erased))
            AND ("key" IS NULL OR "key" NOT IN (SELECT CAST(lead_id AS BLOB) FROM erased));
        DROP TABLE temp.letter_aside`);
    },
    index() {
      for (const { sql } of indexes) db.exec(sql);
    },
    end() {
      db.exec("COMMIT");
      db.pragma("locking_mode = NORMAL");
      db.pragma("temp_store = MEMORY");
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = NORMAL");
      // Opens the log, by which the file is known to be in use from now on.
      db.pragma("user_version");
    },
  };
}
