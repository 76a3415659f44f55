import { parseJson } from "../../shared/events/exact-json.ts";
import type { Connection } from "../../shared/sqlite.ts";
import { type ActionLogReader, RECENT_LOGS, type RenderedLog, renderLog } from "../assemble/action-logs.ts";
import { roleOf, toolRole } from "../assemble/log-role.ts";
import type { ActionLog } from "../fold/action-log.ts";
import { byTimeThenId } from "../fold/order.ts";

const COLUMNS = "id, log AS text, has_documents AS hasDocuments";

/** A log as its row has it. */
export interface StoredLog extends RenderedLog {
  /** Empty where the log has none, so that it stands below every time. */
  readonly createdAt: string;
  readonly role: string | null;
  readonly order: string | null;
}

export function storedLog(log: ActionLog): StoredLog {
  const role = roleOf(log);
  const createdAt = typeof log.createdAt === "string" ? log.createdAt : "";
  return { ...renderLog(log), createdAt, role: role?.role ?? null, order: role?.order ?? null };
}

/**
 * Reads logs that are all in memory: those of a lead that no commit has stored yet. Most leads of a replay are such,
 * and asking the database for what was written a moment ago would cost more than the fold.
 */
export function pendingLogReader(logs: readonly StoredLog[]): ActionLogReader {
  const inRole = (role: string) => logs.filter((log) => log.role === role).sort(byOrder);
  return {
    recent: () =>
      [...logs].sort((a, b) => byTimeThenId(b.createdAt, b.id, a.createdAt, a.id)).slice(0, RECENT_LOGS),
    lastAction: () => inRole("last_action").at(-1),
    nextFollowUp: () => inRole("follow_up")[0],
    nextDraft: () => inRole("draft")[0],
    toolCalls: (parents) => parents.flatMap((parent) => inRole(toolRole(parent))).sort(byOrder),
  };
}

type Ordered = Pick<StoredLog, "id" | "order">;
const byOrder = (a: Ordered, b: Ordered): number => byTimeThenId(a.order, a.id, b.order, b.id);

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
  const all = db.prepare<[number, string], RenderedLog & Ordered>(
    `SELECT ${COLUMNS}, role_order AS "order" FROM action_log WHERE lead_no = ? AND "role" = ? ORDER BY role_order, id`,
  );
  const remove = db.prepare<[number]>("DELETE FROM action_log WHERE lead_no = ?");
  return {
    get(leadNo: number, id: string): ActionLog | undefined {
      const row = get.get(leadNo, id);
      return row && (parseJson(row.log) as ActionLog);
    },
    put({ id, createdAt, role, order, hasDocuments, text }: StoredLog, leadNo: number): void {
      put.run(leadNo, id, createdAt, role, order, hasDocuments, text);
    },
    /** Removes all logs of a lead's part. */
    erase: (leadNo: number): void => void remove.run(leadNo),
    reader: (leadNo: number): ActionLogReader => ({
      recent: () => recent.all(leadNo),
      lastAction: () => last.get(leadNo, "last_action"),
      nextFollowUp: () => first.get(leadNo, "follow_up"),
      nextDraft: () => first.get(leadNo, "draft"),
      toolCalls: (parents) => parents.flatMap((parent) => all.all(leadNo, toolRole(parent))).sort(byOrder),
    }),
  };
}
