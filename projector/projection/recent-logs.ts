import { type ActionLogReader, MOST_TOOL_CALLS, RECENT_LOGS } from "../assemble/action-logs.ts";
import { toolRole } from "../assemble/log-role.ts";
import { type Log, type LogPlace, placeOf, renderLog } from "../assemble/log-text.ts";
import type { ActionLog } from "../fold/action-log.ts";
import { NO_PIECE } from "../fold/lead-part.ts";
import { byCodePoint, byTimeThenId } from "../fold/order.ts";

// A lead's recent logs stand in memory, and in a few rows of its state. Older ones are rows of their own, found by
// indexes and read where they are asked for: so an event costs the same however many there are (rule: cost).

/** Logs that a lead holds at most; beyond them the oldest become rows of their own, down to LEAST_HELD. */
const MOST_HELD = 256;
const LEAST_HELD = 128;

/** A log in memory. */
export interface HeldLog extends Log {
  createdAt: string;
  role: string | null;
  order: string | null;
  hasDocuments: 0 | 1;
  /** The piece of the state that it stands in; NO_PIECE = none, or a row of its own. */
  piece: number;
  /** True where it is, or is about to be, a row of its own. */
  isOlder: boolean;
  /** True where its row, or its piece, is not as it is now. */
  changed: boolean;
  /** True where it is held only until its row is committed. */
  leaving: boolean;
}

/** The place of a log among all, by when it was created. */
export type LogKey = Pick<LogPlace, "createdAt" | "id">;

/** The logs of one part. */
export interface HeldLogs {
  readonly byId: Map<string, HeldLog>;
  /** Ascending by their keys. */
  sorted: HeldLog[];
  /** Every older log that is not held has a key up to this one; null = there is none. */
  floor: LogKey | null;
  /** The same of the rows that are older logs, whether they are held or not: what the state keeps. */
  olderUpTo: LogKey | null;
  /**
   * Older logs by the role and the end that they were read from. It stays true until logs are let go: what changes of older
   * ones meanwhile is held, and what is held counts more.
   */
  readonly olderInRole: Map<string, { readonly rows: readonly StoredLog[]; readonly most: number }>;
}

/** Reads a part's older logs; every read is bounded. */
export interface OlderLogs {
  get(id: string): StoredLog | undefined;
  /** The most recent, newest first. */
  recent(most: number): StoredLog[];
  /** The first of a role, in its order. */
  first(role: string, most: number): StoredLog[];
  /** The last of a role, last first. */
  last(role: string, most: number): StoredLog[];
}

/** An older log as it is read. */
export type StoredLog = LogPlace & { readonly text: string };

export const noLogs = (olderUpTo: LogKey | null = null): HeldLogs => ({
  byId: new Map(),
  sorted: [],
  floor: olderUpTo,
  olderUpTo,
  olderInRole: new Map(),
});

const byKey = (a: LogKey, b: LogKey): number =>
  a.createdAt === b.createdAt ? byCodePoint(a.id, b.id) : a.createdAt < b.createdAt ? -1 : 1;

const later = (a: LogKey | null, b: LogKey): LogKey =>
  a === null || byKey(a, b) < 0 ? { createdAt: b.createdAt, id: b.id } : a;

/** The place where a key stands, or would stand. */
function indexOf(sorted: readonly HeldLog[], key: LogKey): number {
  let low = 0;
  let high = sorted.length;
  // Logs come about in the order of their times.
  if (high > 0 && byKey(sorted[high - 1] as HeldLog, key) < 0) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byKey(sorted[middle] as HeldLog, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes a log into memory as it is stored. */
export function hold(logs: HeldLogs, log: StoredLog, piece: number): HeldLog {
  const held: HeldLog = {
    ...log,
    fields: undefined,
    piece,
    isOlder: piece === NO_PIECE,
    changed: false,
    leaving: false,
  };
  logs.byId.set(log.id, held);
  logs.sorted.splice(indexOf(logs.sorted, log), 0, held);
  return held;
}

/** A log by its id; one that is a row of its own is held from then on. */
export function findLog(logs: HeldLogs, older: OlderLogs, id: string): HeldLog | undefined {
  const held = logs.byId.get(id);
  if (held || logs.olderUpTo === null) return held;
  const row = older.get(id);
  return row && hold(logs, row, NO_PIECE);
}

/**
 * Puts a log's new fields in the place of those before. They are kept as text: that is what a view and a piece take, and
 * it costs the garbage collector nothing.
 */
export function putLog(logs: HeldLogs, before: HeldLog | undefined, fields: ActionLog): void {
  const place = placeOf(fields);
  const text = renderLog(fields);
  if (!before) {
    const held: HeldLog = {
      ...place,
      fields: undefined,
      text,
      piece: NO_PIECE,
      isOlder: false,
      changed: true,
      leaving: false,
    };
    logs.byId.set(held.id, held);
    const at = indexOf(logs.sorted, held);
    if (at === logs.sorted.length) logs.sorted.push(held);
    else logs.sorted.splice(at, 0, held);
    return;
  }
  const moves = before.createdAt !== place.createdAt;
  if (moves) logs.sorted.splice(indexOf(logs.sorted, before), 1);
  before.createdAt = place.createdAt;
  before.role = place.role;
  before.order = place.order;
  before.hasDocuments = place.hasDocuments;
  before.fields = undefined;
  before.text = text;
  before.changed = true;
  before.leaving = false;
  if (moves) logs.sorted.splice(indexOf(logs.sorted, before), 0, before);
}

/** Has the oldest leave where there are too many; they become rows of their own, and are held until `letGo`. */
export function letLeave({ sorted }: HeldLogs): void {
  if (sorted.length <= MOST_HELD) return;
  for (let index = 0; index < sorted.length - LEAST_HELD; index++) (sorted[index] as HeldLog).leaving = true;
}

/** Forgets the logs that were to leave, now that their rows are committed. */
export function letGo(logs: HeldLogs): void {
  if (!logs.sorted.some(({ leaving }) => leaving)) return;
  for (const log of logs.sorted) {
    if (!log.leaving) continue;
    logs.byId.delete(log.id);
    logs.floor = later(logs.floor, log);
  }
  logs.sorted = logs.sorted.filter(({ leaving }) => !leaving);
  logs.olderInRole.clear();
}

/** Notes that a log is a row of its own from now on. */
export function noteOlder(logs: HeldLogs, log: HeldLog): void {
  log.isOlder = true;
  log.piece = NO_PIECE;
  logs.olderUpTo = later(logs.olderUpTo, log);
}

/** Finds the logs that a view shows, among all of them. */
export function logReader(logs: HeldLogs, older: OlderLogs): ActionLogReader {
  const one = (role: string, end: End) => inRole(logs, older, role, end, 1)[0];
  return {
    recent() {
      holdRecent(logs, older);
      return logs.sorted.slice(-RECENT_LOGS).reverse();
    },
    lastAction: () => one("last_action", "last"),
    nextFollowUp: () => one("follow_up", "first"),
    nextDraft: () => one("draft", "first"),
    toolCalls: (parents) =>
      parents
        .flatMap((parent) => inRole(logs, older, toolRole(parent), "last", MOST_TOOL_CALLS))
        .sort(byOrder)
        .slice(-MOST_TOOL_CALLS),
  };
}

/** Holds all logs that are among the most recent. */
function holdRecent(logs: HeldLogs, older: OlderLogs): void {
  const { sorted, floor } = logs;
  if (floor === null) return;
  const last = sorted[sorted.length - RECENT_LOGS];
  if (last && byKey(last, floor) > 0) return;
  const most = RECENT_LOGS + sorted.filter(({ isOlder }) => isOlder).length;
  const rows = older.recent(most);
  for (const row of rows) if (!logs.byId.has(row.id)) hold(logs, row, NO_PIECE);
  const lowest = rows.at(-1);
  logs.floor = lowest && rows.length === most ? { createdAt: lowest.createdAt, id: lowest.id } : null;
}

type End = "first" | "last";

const byOrder = (a: LogPlace, b: LogPlace): number => byTimeThenId(a.order, a.id, b.order, b.id);

/** The first, or the last, logs of a role, best first. */
function inRole(logs: HeldLogs, older: OlderLogs, role: string, end: End, most: number): Log[] {
  const found: Log[] = [];
  for (const log of logs.sorted) if (log.role === role) found.push(log);
  for (const log of olderInRole(logs, older, role, end, most)) found.push(log);
  if (found.length > 1) found.sort(end === "first" ? byOrder : (a, b) => byOrder(b, a));
  return found.length > most ? found.slice(0, most) : found;
}

/** Those that are not held. */
function olderInRole(logs: HeldLogs, older: OlderLogs, role: string, end: End, most: number): readonly Log[] {
  if (logs.floor === null) return NONE;
  const name = `${end} ${role}`;
  const isFree = ({ id }: StoredLog) => !logs.byId.has(id);
  for (let known = logs.olderInRole.get(name); ; ) {
    const free = known?.rows.filter(isFree) ?? [];
    // All rows of the role are known, or enough of them.
    if (known && (known.rows.length < known.most || free.length >= most)) return free.map(asLog);
    const taken = logs.sorted.filter(({ isOlder }) => isOlder).length;
    known = { rows: older[end](role, most + taken), most: most + taken };
    logs.olderInRole.set(name, known);
  }
}

const NONE: readonly Log[] = [];
const asLog = (row: StoredLog): Log => ({ ...row, fields: undefined });
