import { type ActionLogReader, MOST_TOOL_CALLS, RECENT_LOGS, renderLog } from "../assemble/action-logs.ts";
import { roleOf, toolRole } from "../assemble/log-role.ts";
import type { ActionLog } from "../fold/action-log.ts";
import { byTimeThenId } from "../fold/order.ts";
import type { LogRow } from "../store/action-logs.ts";
import type { Store } from "../store/store.ts";

/** A log as it is stored: rendered once, with what it is found by. */
export function logRowOf(log: ActionLog): LogRow {
  const role = roleOf(log);
  const createdAt = typeof log.createdAt === "string" ? log.createdAt : "";
  return { ...renderLog(log), createdAt, role: role?.role ?? null, order: role?.order ?? null };
}

type Ordered = Pick<LogRow, "id" | "order">;
const byOrder = (a: Ordered, b: Ordered): number => byTimeThenId(a.order, a.id, b.order, b.id);

/** The newest tool calls of some parents, oldest first. */
const newestOf = (found: LogRow[]): LogRow[] => found.sort(byOrder).slice(-MOST_TOOL_CALLS);

/**
 * Reads logs that are all in memory: those of a lead that no commit has stored yet. Most leads of a replay are such,
 * and asking the database for what was written a moment ago would cost more than the fold.
 */
export function pendingLogReader(logs: readonly LogRow[]): ActionLogReader {
  const inRole = (role: string) => logs.filter((log) => log.role === role).sort(byOrder);
  return {
    recent: () =>
      [...logs].sort((a, b) => byTimeThenId(b.createdAt, b.id, a.createdAt, a.id)).slice(0, RECENT_LOGS),
    lastAction: () => inRole("last_action").at(-1),
    nextFollowUp: () => inRole("follow_up")[0],
    nextDraft: () => inRole("draft")[0],
    toolCalls: (parents) => newestOf(parents.flatMap((parent) => inRole(toolRole(parent)))),
  };
}

/** Reads a stored lead's logs; every read is bounded, however many logs it has (rule: cost). */
export const storedLogReader = ({ actionLogs }: Store, leadNo: number): ActionLogReader => ({
  recent: () => actionLogs.recent(leadNo, RECENT_LOGS),
  lastAction: () => actionLogs.last(leadNo, "last_action", 1)[0],
  nextFollowUp: () => actionLogs.first(leadNo, "follow_up", 1)[0],
  nextDraft: () => actionLogs.first(leadNo, "draft", 1)[0],
  toolCalls: (parents) =>
    newestOf(parents.flatMap((parent) => actionLogs.last(leadNo, toolRole(parent), MOST_TOOL_CALLS))),
});
