import type { Connection } from "../../shared/sqlite.ts";
import { type ActionLogReader, RECENT_LOGS, type RenderedLog, renderLog } from "../assemble/action-logs.ts";
import { roleOf, toolRole } from "../assemble/log-role.ts";
import type { ActionLog } from "../fold/action-log.ts";
import { byTimeThenId } from "../fold/order.ts";

const COLUMNS = "id, log AS text, has_documents AS hasDocuments";

/** The action logs, one row each; every read is bounded by an index, however many logs a lead has. */
export function createActionLogs(db: Connection) {
  const get = db.prepare<[number, string], { log: string }>(
    "SELECT log FROM action_log WHERE lead_no = ? AND id = ?",
  );
  const put = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (lead_no, id) DO UPDATE SET created_at = excluded.created_at, "role" = excluded."role",
       role_order = excluded.role_order, has_documents = excluded.has_documents, log = excluded.log`,
  );
  const recent = db.prepare<[number], RenderedLog>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? ORDER BY created_at DESC, id DESC LIMIT ${RECENT_LOGS}`,
  );
  const first = db.prepare<[number, string], RenderedLog>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order, id LIMIT 1`,
  );
  const last = db.prepare<[number, string], RenderedLog>(
    `SELECT ${COLUMNS} FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order DESC, id DESC LIMIT 1`,
  );
  const all = db.prepare<[number, string], RenderedLog & { order: string }>(
    `SELECT ${COLUMNS}, role_order AS "order" FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order, id`,
  );
  const remove = db.prepare<[number]>("DELETE FROM action_log WHERE lead_no = ?");
  return {
    get(leadNo: number, id: string): ActionLog | undefined {
      const row = get.get(leadNo, id);
      return row && (JSON.parse(row.log) as ActionLog);
    },
    put(leadNo: number, log: ActionLog): void {
      const { id, text, hasDocuments } = renderLog(log);
      const role = roleOf(log);
      const createdAt = log.createdAt ?? "";
      put.run(leadNo, id, createdAt, role?.role ?? null, role?.order ?? null, hasDocuments, text);
    },
    /** Removes all logs of a lead's part. */
    erase: (leadNo: number): void => void remove.run(leadNo),
    reader: (leadNo: number): ActionLogReader => ({
      recent: () => recent.all(leadNo),
      lastAction: () => last.get(leadNo, "last_action"),
      nextFollowUp: () => first.get(leadNo, "follow_up"),
      nextDraft: () => first.get(leadNo, "draft"),
      toolCalls: (parents) =>
        parents
          .flatMap((parent) => all.all(leadNo, toolRole(parent)))
          .sort((a, b) => byTimeThenId(a.order, a.id, b.order, b.id)),
    }),
  };
}
