import type { Connection } from "../../shared/sqlite.ts";

/** An action log to be stored: a text may be given as its UTF-8. */
export type LogToStore = Omit<LogRow, "text"> & { readonly text: string | Buffer };

/** An action log as its row has it. */
export interface LogRow {
  readonly id: string;
  /** Empty where the log has none, so that it stands below every time. */
  readonly createdAt: string;
  readonly role: string | null;
  /** Orders the logs of a role, before their ids do. */
  readonly order: string | null;
  /** 1 where its messages name documents that are still to be resolved. */
  readonly hasDocuments: 0 | 1;
  /** Finished JSON. */
  readonly text: string;
}

const COLUMNS = `id, created_at AS createdAt, "role", role_order AS "order", has_documents AS hasDocuments, log AS text`;
const PART = "lead_no = (SELECT no FROM lead WHERE lead_id = ? AND workspace_id = ?)";

/** The action logs that are not among the recent ones, a row each; every read is bounded by an index. */
export function createActionLogs(db: Connection) {
  const get = db.prepare<[string, string, string], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE ${PART} AND id = ?`,
  );
  const put = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT))
     ON CONFLICT (lead_no, id) DO UPDATE SET created_at = excluded.created_at, "role" = excluded."role",
       role_order = excluded.role_order, has_documents = excluded.has_documents, log = excluded.log`,
  );
  // Where nothing changes that an index has, the indexes are left alone.
  const update = db.prepare(
    `UPDATE action_log SET has_documents = ?, log = CAST(? AS TEXT)
     WHERE lead_no = ? AND id = ? AND created_at = ? AND "role" IS ? AND role_order IS ?`,
  );
  const recent = db.prepare<[string, string, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE ${PART} ORDER BY created_at DESC, id DESC LIMIT ?`,
  );
  const first = db.prepare<[string, string, string, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE ${PART} AND "role" = ? ORDER BY role_order, id LIMIT ?`,
  );
  const last = db.prepare<[string, string, string, number], LogRow>(
    `SELECT ${COLUMNS} FROM action_log WHERE ${PART} AND "role" = ? ORDER BY role_order DESC, id DESC LIMIT ?`,
  );
  const remove = db.prepare<[number]>("DELETE FROM action_log WHERE lead_no = ?");
  return {
    /** The logs of one workspace's part of a lead. */
    of: (leadId: string, workspaceId: string) => ({
      get: (id: string): LogRow | undefined => get.get(leadId, workspaceId, id),
      /** The most recent, newest first. */
      recent: (most: number): LogRow[] => recent.all(leadId, workspaceId, most),
      /** The first of a role, in its order. */
      first: (role: string, most: number): LogRow[] => first.all(leadId, workspaceId, role, most),
      /** The last of a role, last first. */
      last: (role: string, most: number): LogRow[] => last.all(leadId, workspaceId, role, most),
    }),
    put({ id, createdAt, role, order, hasDocuments, text }: LogToStore, leadNo: number): void {
      if (update.run(hasDocuments, text, leadNo, id, createdAt, role, order).changes === 0)
        put.run(leadNo, id, createdAt, role, order, hasDocuments, text);
    },
    /** Removes all logs of a lead's part. */
    remove: (leadNo: number): void => void remove.run(leadNo),
  };
}
