import type { ActionLogReader } from "../assemble/action-logs.ts";
import { assembleView } from "../assemble/assemble.ts";
import type { AssembledView } from "../assemble/body.ts";
import { type Identity, identityOf, sameIdentity } from "../fold/identity.ts";
import type { LeadPart } from "../fold/lead-part.ts";
import { encodeSeen } from "../fold/seen-events.ts";
import type { Position } from "../source/source.ts";
import { pendingLogReader, storedLog } from "../store/action-logs.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { type IdentityKey, keysOf } from "../store/matching.ts";
import type { Store } from "../store/store.ts";
import type { PendingLead } from "./pending-leads.ts";

/** All that one transaction makes durable. */
export interface Pending {
  /** The turn that the state was read at. */
  readonly turn: number;
  readonly leads: readonly PendingLead[];
  /** False in a bulk load, which assembles every view once at its end. */
  readonly assemble: boolean;
  readonly deadLetters: readonly DeadLetter[];
  readonly failedAt: Date;
  readonly positions: readonly { readonly position: Position; readonly from: number | undefined }[];
}

/** A lead's shown part. */
interface Shown {
  readonly part: LeadPart;
  readonly identity: Identity;
  /** True where the lead can't have a view yet. */
  readonly isFirst: boolean;
  readonly logs: ActionLogReader;
  /** The trace of the event that changed it; null where that was another lead's, or came with none. */
  readonly traceparent: string | null;
}

/** How many views were assembled, and written, and the milliseconds that this took. */
export interface Assembly {
  readonly views: number;
  readonly milliseconds: number;
}

/**
 * Writes the state, assembles each view that it changes once, and moves the positions, in one transaction
 * (design.md sections 4 and 5).
 */
export function commitPending(store: Store, pending: Pending): Assembly {
  let assembly: Assembly = { views: 0, milliseconds: 0 };
  store.transaction(() => {
    // First of all: a process that was fenced has not written anything when it finds out.
    store.positions.takeTurn(pending.turn);
    for (const { position, from } of pending.positions) store.positions.move(position, from);
    if (pending.assemble) assembly = writeAndAssemble(store, pending.leads);
    else writeLeads(store, pending.leads);
    for (const letter of pending.deadLetters) {
      // What is no event, but carries an erased lead's key, is forgotten as the lead is.
      const key = letter.record.key?.toString("utf8");
      if (key !== undefined && store.leads.isErased(key)) store.leads.countDropped(key, 1);
      else store.deadLetters.add(letter, pending.failedAt);
    }
  });
  return assembly;
}

/** Writes the leads and assembles each view that they change, their own and those they match, once. */
function writeAndAssemble(store: Store, leads: readonly PendingLead[]): Assembly {
  const keys = changedIdentities(leads);
  const dirty = new Set(keys.flatMap((key) => store.matching.memberIds(key)));
  const shown = writeLeads(store, leads);
  for (const key of keys) for (const id of store.matching.memberIds(key)) dirty.add(id);
  for (const leadId of shown.keys()) dirty.add(leadId);
  for (const { leadId, erased } of leads) if (erased !== false) dirty.delete(leadId);
  const start = performance.now();
  for (const leadId of dirty) {
    const lead = shown.get(leadId) ?? loadShown(store, leadId);
    if (lead) writeView(store, lead);
  }
  return { views: dirty.size, milliseconds: performance.now() - start };
}

/** Assembles the views of stored leads that have none yet. */
export function assembleStored(store: Store, leadIds: readonly string[]): void {
  store.transaction(() => {
    for (const leadId of leadIds) {
      const lead = loadShown(store, leadId);
      if (lead) store.views.load(leadId, lead.part.workspaceId, assembled(store, lead));
    }
  });
}

/** The identities, old and new, of every lead whose matches see a change (design.md section 6, matchingLeads). */
function changedIdentities(leads: readonly PendingLead[]): IdentityKey[] {
  const keys = new Map<string, IdentityKey>();
  for (const lead of leads) {
    for (const { stored, part } of lead.parts.values()) {
      const before = stored?.identity ?? null;
      const after = lead.erased === false && part.workspaceId === lead.owner ? identityOf(part) : null;
      if (sameIdentity(before, after)) continue;
      for (const identity of [before, after]) {
        if (!identity) continue;
        for (const key of keysOf(part.workspaceId, identity))
          keys.set(`${key.kind} ${part.workspaceId} ${key.key}`, key);
      }
    }
  }
  return [...keys.values()];
}

/** Writes every changed part; returns the shown ones of leads that exist, by lead id. */
function writeLeads(store: Store, leads: readonly PendingLead[]): Map<string, Shown> {
  const shown = new Map<string, Shown>();
  for (const lead of leads) {
    if (lead.erased === "now") eraseLead(store, lead);
    if (lead.dropped > 0) store.leads.countDropped(lead.leadId, lead.dropped);
    if (lead.erased !== false) continue;
    if (lead.replaces) clearLead(store, lead);
    for (const pending of lead.parts.values()) {
      if (!pending.changed) continue;
      const owner = pending.part.workspaceId === lead.owner;
      const identity = owner ? identityOf(pending.part) : null;
      const no = store.leads.write(
        pending.stored?.no,
        pending.part,
        owner,
        identity,
        encodeSeen(pending.seen),
      );
      const logs = [...pending.logs.values()].map(storedLog);
      for (const log of logs) store.actionLogs.put(log, no);
      if (!identity) continue;
      const reader = pending.stored && !lead.replaces ? store.actionLogs.reader(no) : pendingLogReader(logs);
      const isFirst = !pending.stored?.owner;
      shown.set(lead.leadId, {
        part: pending.part,
        identity,
        logs: reader,
        isFirst,
        traceparent: lead.traceparent,
      });
    }
  }
  return shown;
}

/** Makes room for a lead that was folded again from its first event on. */
function clearLead(store: Store, lead: PendingLead): void {
  for (const { stored, changed } of lead.parts.values()) {
    if (!stored) continue;
    store.actionLogs.erase(stored.no);
    if (!changed) store.leads.removePart(stored.no);
  }
  if (lead.owner === null) store.views.erase(lead.leadId, lead.traceparent);
}

function eraseLead(store: Store, lead: PendingLead): void {
  for (const { stored } of lead.parts.values()) if (stored) store.actionLogs.erase(stored.no);
  store.leads.erase(lead.leadId);
  store.views.erase(lead.leadId, lead.traceparent);
  store.deadLetters.erase(lead.leadId);
}

function loadShown(store: Store, leadId: string): Shown | undefined {
  const stored = store.leads.load(leadId).find(({ owner }) => owner);
  if (!stored?.identity) return undefined;
  const { no, part, identity } = stored;
  return { part, identity, logs: store.actionLogs.reader(no), isFirst: false, traceparent: null };
}

function writeView(store: Store, shown: Shown): void {
  const { leadId, workspaceId } = shown.part;
  const { isFirst, traceparent } = shown;
  store.views.write(leadId, workspaceId, assembled(store, shown), { isFirst, traceparent });
}

const assembled = (store: Store, { part, identity, logs }: Shown): AssembledView =>
  assembleView({ part, logs, matchingLeads: store.matching.matchingLeads(part.workspaceId, identity) });
