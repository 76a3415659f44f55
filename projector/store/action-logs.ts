import type { Connection } from "../../shared/sqlite.ts";

/** A log's finished JSON text, and whether its messages name documents that are still to be resolved. */
export interface LogText {
  readonly id: string;
  readonly text: string;
  readonly hasDocuments: 0 | 1;
}

/** A log as its row has it. */
export interface LogRow extends LogText {
  /** Empty where the log has none, so that it stands below every time. */
  readonly createdAt: string;
  readonly role: string | null;
  /** Orders the logs of a role, before their ids do. */
  readonly order: string | null;
}

const COLUMNS = `id, log AS text, has_documents AS hasDocuments, created_at AS createdAt, "role", role_order AS "order"`;

/** The action logs, one row each; every read is bounded by an index, however many logs a lead has. */
export function createActionLogs(db: Connection) {
  const get = db
    .prepare<[number, string], string>("SELECT log FROM action_log WHERE lead_no = ? AND id = ?")
    .pluck();
  const put = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (lead_no, id) DO UPDATE SET created_at = excluded.created_at, "role" = excluded."role",
       role_order = excluded.role_order, has_documents = excluded.has_documents, log = excluded.log`,
  );
  const recent = db.prepare<[number, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? ORDER BY created_at DESC, id DESC LIMIT ?`,
  );
  const first = db.prepare<[number, string, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order, id LIMIT ?`,
  );
  const last = db.prepare<[number, string, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order DESC, id DESC LIMIT ?`,
  );
  const remove = db.prepare<[number]>("DELETE FROM action_log WHERE lead_no = ?");
  return {
    /** A log's JSON text. */
    get: (leadNo: number, id: string): string | undefined => get.get(leadNo, id),
    put({ id, createdAt, role, order, hasDocuments, text }: LogRow, leadNo: number): void {
      put.run(leadNo, id, createdAt, role, order, hasDocuments, text);
    },
    /** The most recent, newest first. */
    recent: (leadNo: number, most: number): LogRow[] => recent.all(leadNo, most),
    /** The first of a role, in its order. */
    first: (leadNo: number, role: string, most: number): LogRow[] => first.all(leadNo, role, most),
    /** The last of a role, last first. */
    last: (leadNo: number, role: string, most: number): LogRow[] => last.all(leadNo, role, most),
    /** Removes all logs of a lead's part. */
    remove: (leadNo: number): void => void remove.run(leadNo),
  };
}
