import type { Event } from "../../shared/events/catalogue.ts";
import { emailKey, phoneKey } from "../../shared/identity-keys.ts";
import { plainId } from "../../shared/log.ts";
import { logFields } from "../assemble/log-text.ts";
import type { Decoded } from "../decode/decode.ts";
import { DecodeError } from "../decode/decode-error.ts";
import { type ActionLogEvent, foldActionLog, isPatch } from "../fold/action-log.ts";
import type { Fields } from "../fold/entity.ts";
import { foldPart, isActionLogEvent } from "../fold/fold.ts";
import { FoldError } from "../fold/fold-error.ts";
import { looksTheSame } from "../fold/identity.ts";
import { TOUCHED } from "../fold/lead-part.ts";
import { hasMark, markOf, remember } from "../fold/seen-events.ts";
import type { SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { type HeldLead, type HeldPart, type LeadReader, partOf } from "./held-leads.ts";
import { namedLead } from "./named-lead.ts";
import { findLog, putLog } from "./recent-logs.ts";

/**
 * What became of a record: dropped where its lead is erased, repeated where its event was folded before, unknown_lead where it
 * erases a lead of which nothing was folded: one that never was, or whose events are in another partition.
 */
export type Applied = "folded" | "repeated" | "dropped" | "unknown_lead";

/**
 * Folds all of a record's events into its lead, or none: an event that contradicts the state changes nothing, and of
 * several only the first one can (projector/decode/webhook.ts).
 * @throws FoldError where an event contradicts the state
 */
export function applyDecoded(
  reader: LeadReader,
  lead: HeldLead,
  decoded: Decoded,
  { partition }: Pick<SourceRecord, "partition">,
): Applied {
  if ("erase" in decoded) {
    const isKnown = lead.erased !== false || lead.parts.size > 0;
    if (lead.erased === false)
      for (const [workspaceId, { part }] of lead.parts) noteLeft(lead, workspaceId, part.record);
    if (lead.erased === false) lead.erased = "now";
    return isKnown ? "folded" : "unknown_lead";
  }
  if (lead.erased !== false) {
    lead.dropped++;
    return "dropped";
  }
  const { topic, events, eventKey } = decoded;
  // What one workspace says never makes another's event pass for a repeat.
  const { workspaceId } = events[0] as Event;
  const held = partOf(reader, lead, workspaceId);
  const mark = eventKey === null ? undefined : markOf(eventKey);
  const marks = held.seen.get(topic) ?? [];
  const isRepeat = mark !== undefined && hasMark(marks, mark);
  // What can't be folded is not remembered: sent again, it may find what it lacked.
  if (!isRepeat) {
    const before = held.part.record;
    for (const event of events) applyEvent(held, event);
    if (!looksTheSame(before, held.part.record)) noteLeft(lead, workspaceId, before);
  }
  if (mark !== undefined) {
    if (marks.length === 0) held.seen.set(topic, marks);
    remember(marks, mark);
  }
  held.partitions?.add(partition);
  held.changed = true;
  if (lead.owner === null && held.part.createdBy !== null) {
    lead.owner = workspaceId;
    lead.isOwnerNew = true;
  }
  return isRepeat ? "repeated" : "folded";
}

function noteLeft({ left }: HeldLead, workspaceId: string, { email, phoneNumber }: Fields): void {
  const keys = { workspaceId, emailKey: emailKey(email), phoneKey: phoneKey(phoneNumber) };
  if (keys.emailKey !== null || keys.phoneKey !== null) left.push(keys);
}

function applyEvent(held: HeldPart, event: Event): void {
  if (isActionLogEvent(event)) applyLog(held, event);
  else foldPart(held.part, event);
}

function applyLog({ part, logs, older }: HeldPart, event: ActionLogEvent): void {
  const before = findLog(logs, older, event.data.id);
  const fields = foldActionLog(before && isPatch(event) ? logFields(before) : undefined, event);
  putLog(logs, before, fields);
  if (before) part.changedPieces.add(before.piece);
  part.touched |= TOUCHED.logs;
}

/** @param decoded what the record says, where it could be decoded */
export function deadLetterOf(record: SourceRecord, decoded: Decoded | undefined, error: unknown): DeadLetter {
  const eventId = decoded && "events" in decoded ? plainId(decoded.events[0]?.id) : undefined;
  const leadId = decoded?.leadId ?? namedLead(record);
  const { topic, partition, offset, key, timestamp, headers, value } = record;
  const plain = { topic, partition, offset, key, timestamp, headers, value };
  const letter = { record: plain, leadId, ...(eventId === undefined ? {} : { eventId }) };
  if (error instanceof DecodeError || error instanceof FoldError) {
    return { ...letter, code: error.code, reason: error.message };
  }
  // The message of an unforeseen error could quote the record, which may hold a person's data: its class says enough.
  const reason = `the fold failed: ${(error as Error | null)?.name ?? "unknown error"}`;
  return { ...letter, code: "fold_failed", reason };
}
