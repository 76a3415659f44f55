import { headersToJson } from "../source/headers.ts";
import type { LogRow } from "./action-logs.ts";
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
  piece(no: number, piece: number, content: string): void;
  log(no: number, row: LogRow): void;
  identity(leadId: string, workspaceId: string, row: IdentityRow): void;
  view(leadId: string, row: ViewRow): void;
  /** Puts a letter aside until it is known which leads are erased. */
  letter(letter: DeadLetter, failedAt: Date): void;
  /** Stores the letters that neither speak of an erased lead nor carry its key: of the others nothing is ever in the file. */
  letters(): void;
  /**
   * Makes the indexes.
   * @throws SqliteError where a row came twice
   */
  index(): void;
  /** Ends the transaction; from now on the database is written as any other. */
  end(): void;
}

const CACHE_KIB = 65_536;
const LETTER_COLUMNS = `topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at, lead_id`;

export function openBulk({ db }: Store): Bulk {
  db.pragma("journal_mode = OFF");
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
  const piece = db.prepare("INSERT INTO lead_piece VALUES (?, ?)");
  const log = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const view = db.prepare(
    `INSERT INTO lead_view (lead_id, workspace_id, number, status, section_numbers, section_ends, section_hashes,
       traceparent, url_slots, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const identity = db.prepare("INSERT INTO lead_identity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db.exec(`CREATE TEMP TABLE aside AS SELECT ${LETTER_COLUMNS} FROM dead_letter WHERE false`);
  const letter = db.prepare("INSERT INTO aside VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  let last = 0;
  db.exec("BEGIN");
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
    view: (leadId, row) =>
      void view.run(
        leadId,
        row.workspaceId,
        row.number,
        row.status,
        row.sectionNumbers,
        row.sectionEnds,
        row.sectionHashes,
        row.traceparent,
        row.urlSlots,
        row.body,
      ),
    letters() {
      db.exec(
        `INSERT INTO dead_letter (${LETTER_COLUMNS}) SELECT ${LETTER_COLUMNS} FROM aside
         WHERE (lead_id IS NULL OR lead_id NOT IN (SELECT lead_id FROM erased))
           AND ("key" IS NULL OR "key" NOT IN (SELECT CAST(lead_id AS BLOB) FROM erased))`,
      );
      db.exec("DROP TABLE aside");
    },
    index() {
      for (const { sql } of indexes) db.exec(sql);
    },
    end() {
      db.exec("COMMIT");
      db.pragma("temp_store = MEMORY");
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = NORMAL");
    },
  };
}
