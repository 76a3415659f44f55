import type { Event } from "../../shared/events/catalogue.ts";
import { plainId } from "../../shared/log.ts";
import type { Decoded } from "../decode/decode.ts";
import { DecodeError } from "../decode/decode-error.ts";
import { type ActionLog, foldActionLog, isPatch } from "../fold/action-log.ts";
import { foldPart, isActionLogEvent } from "../fold/fold.ts";
import { FoldError } from "../fold/fold-error.ts";
import { hasMark, markOf, withMark } from "../fold/seen-events.ts";
import type { SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { namedLead } from "./named-lead.ts";
import { type PendingLead, type PendingPart, partOf } from "./pending-leads.ts";

/** Finds a log that was folded before the pending ones. */
export type FindLog = (leadNo: number, id: string) => ActionLog | undefined;

/** What became of a record: dropped where its lead is erased, repeated where its event was folded before. */
export type Applied = "folded" | "repeated" | "dropped";

/**
 * Folds all of a record's events into its lead, or none.
 * @throws FoldError where an event contradicts the state
 */
export function applyDecoded(lead: PendingLead, decoded: Decoded, findLog: FindLog): Applied {
  if ("erase" in decoded) {
    if (lead.erased === false) lead.erased = "now";
    return "folded";
  }
  if (lead.erased !== false) {
    lead.dropped++;
    return "dropped";
  }
  const { topic, events, eventKey } = decoded;
  // What one workspace says never makes another's event pass for a repeat.
  const pending = partOf(lead, (events[0] as Event).workspaceId);
  const mark = eventKey === null ? undefined : markOf(eventKey);
  const marks = pending.seen.get(topic) ?? "";
  const isRepeat = mark !== undefined && hasMark(marks, mark);
  // What can't be folded is not remembered: sent again, it may find what it lacked.
  if (!isRepeat) applyEvents(lead, pending, events, findLog);
  if (mark !== undefined) pending.seen.set(topic, withMark(marks, mark));
  pending.changed = true;
  return isRepeat ? "repeated" : "folded";
}

function applyEvents(
  lead: PendingLead,
  pending: PendingPart,
  events: readonly Event[],
  findLog: FindLog,
): void {
  const logs = new Map<string, ActionLog>();
  let part = pending.part;
  for (const event of events) {
    if (isActionLogEvent(event)) {
      const { id } = event.data;
      const before = isPatch(event) ? (logs.get(id) ?? logOf(lead, pending, id, findLog)) : undefined;
      logs.set(id, foldActionLog(before, event));
    } else {
      part = foldPart(part, event);
    }
  }
  pending.part = part;
  for (const [id, log] of logs) pending.logs.set(id, log);
  if (part.createdBy !== null) lead.owner ??= part.workspaceId;
}

function logOf(
  lead: PendingLead,
  { no, logs }: PendingPart,
  id: string,
  findLog: FindLog,
): ActionLog | undefined {
  return logs.get(id) ?? (no !== undefined && !lead.replaces ? findLog(no, id) : undefined);
}

/** @param decoded what the record says, where it could be decoded */
export function deadLetterOf(record: SourceRecord, decoded: Decoded | undefined, error: unknown): DeadLetter {
  const eventId = decoded && "events" in decoded ? plainId(decoded.events[0]?.id) : undefined;
  const leadId = decoded?.leadId ?? namedLead(record);
  const letter = { record, leadId, ...(eventId === undefined ? {} : { eventId }) };
  if (error instanceof DecodeError || error instanceof FoldError) {
    return { ...letter, code: error.code, reason: error.message };
  }
  // The message of an unforeseen error could quote the record, which may hold a person's data: its class says enough.
  const reason = `the fold failed: ${(error as Error | null)?.name ?? "unknown error"}`;
  return { ...letter, code: "fold_failed", reason };
}
