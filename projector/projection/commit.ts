import { monotonic } from "../../shared/clock.ts";
import type { ActionLogReader } from "../assemble/action-logs.ts";
import { assembleView } from "../assemble/assemble.ts";
import type { AssembledView } from "../assemble/body.ts";
import { type Identity, identityOf, sameIdentity } from "../fold/identity.ts";
import { encodePart, type LeadPart } from "../fold/lead-part.ts";
import { encodeSeen } from "../fold/seen-events.ts";
import type { Position } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { NextNumber } from "../store/numbers.ts";
import type { Store } from "../store/store.ts";
import { logRowOf, pendingLogReader, storedLogReader } from "./log-reader.ts";
import { type IdentityKey, identityRow, keysOf, matchingLeads, memberIds } from "./matching.ts";
import { loadLead, type PendingLead } from "./pending-leads.ts";
import { buryView, writeView } from "./write-view.ts";

/** All that one transaction makes durable. */
export interface Pending {
  readonly leads: readonly PendingLead[];
  /** False in a bulk load, which assembles every view once at its end. */
  readonly assemble: boolean;
  readonly deadLetters: readonly DeadLetter[];
  readonly failedAt: Date;
  readonly positions: readonly Position[];
  /** The generations that are kept beside this one: an erase is a duty in each (rule: erase everywhere). */
  readonly keptGenerations: () => readonly number[];
}

/** A lead's shown part. */
interface Shown {
  readonly part: LeadPart;
  readonly identity: Identity;
  readonly logs: ActionLogReader;
  readonly traceparent: string | null;
}

/** How many views were assembled, and written, and the milliseconds that this took. */
export interface Assembly {
  readonly views: number;
  readonly milliseconds: number;
}

/** Writes the state, assembles each view that it changes once, and moves the positions, in one transaction. */
export function commitPending(store: Store, pending: Pending): Assembly {
  return store.transaction((next) => {
    const { leads } = pending;
    const kept = once(pending.keptGenerations);
    const identities = new Map(leads.map((lead) => [lead, shownIdentity(lead)]));
    for (const position of pending.positions) store.positions.put(position);
    const keys = changedIdentities(identities);
    const dirty = new Set(pending.assemble ? keys.flatMap((key) => memberIds(store, key)) : []);
    const shown = new Map<string, Shown>();
    for (const lead of leads) {
      const written = writeLead(store, next, lead, identities.get(lead) ?? null, kept);
      if (written) shown.set(lead.leadId, written);
    }
    for (const letter of pending.deadLetters) keepLetter(store, letter, pending.failedAt);
    if (!pending.assemble) return { views: 0, milliseconds: 0 };
    for (const key of keys) for (const id of memberIds(store, key)) dirty.add(id);
    for (const leadId of shown.keys()) dirty.add(leadId);
    for (const { leadId, erased } of leads) if (erased !== false) dirty.delete(leadId);
    const start = monotonic();
    for (const leadId of dirty) {
      const lead = shown.get(leadId) ?? loadShown(store, leadId);
      if (!lead) continue;
      const { workspaceId } = lead.part;
      writeView(store, next, { ...lead, leadId, workspaceId, isFirst: false }, assembled(store, lead));
    }
    return { views: dirty.size, milliseconds: monotonic() - start };
  });
}

/** What a view has before its generation is compared with the serving one, which decides its number. */
export const UNNUMBERED = 0;

/** Assembles the views of stored leads that have none yet: the second half of a bulk load. They have no numbers yet. */
export function assembleStored(store: Store, leadIds: readonly string[]): void {
  const unnumbered = () => UNNUMBERED;
  store.transaction(() => {
    for (const leadId of leadIds) {
      const lead = loadShown(store, leadId);
      if (!lead) continue;
      const { workspaceId } = lead.part;
      writeView(store, unnumbered, { ...lead, leadId, workspaceId, isFirst: true }, assembled(store, lead));
    }
  });
}

/** The folder is looked at only where something is erased, and then once a commit. */
function once<T>(look: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: look() };
    return found.value;
  };
}

/** The identities, old and new, of every lead whose matches see a change. */
function changedIdentities(identities: ReadonlyMap<PendingLead, Identity | null>): IdentityKey[] {
  const keys = new Map<string, IdentityKey>();
  for (const [lead, after] of identities) {
    const before = lead.storedIdentity;
    if (sameIdentity(before, after) && lead.storedOwner === lead.owner) continue;
    for (const [identity, workspaceId] of [
      [before, lead.storedOwner],
      [after, lead.owner],
    ] as const) {
      if (identity === null || workspaceId === null) continue;
      for (const key of keysOf(workspaceId, identity)) keys.set(`${key.kind} ${workspaceId} ${key.key}`, key);
    }
  }
  return [...keys.values()];
}

/** The identity that a lead has after its pending events; null where it has no view then. */
function shownIdentity(lead: PendingLead): Identity | null {
  const owned = lead.owner === null || lead.erased !== false ? undefined : lead.parts.get(lead.owner);
  if (!owned) return null;
  // Nothing was folded into it: it is what it was.
  if (!owned.changed && !lead.replaces) return lead.storedIdentity;
  return identityOf(owned.part);
}

/** Writes every changed part of a lead; returns the shown one, where that is among them. */
function writeLead(
  store: Store,
  next: NextNumber,
  lead: PendingLead,
  identity: Identity | null,
  keptGenerations: () => readonly number[],
): Shown | undefined {
  const { leadId, owner, traceparent } = lead;
  if (lead.erased === "now") eraseLead(store, next, lead, keptGenerations);
  if (lead.dropped > 0) store.erased.countDropped(leadId, lead.dropped);
  if (lead.erased !== false) return undefined;
  if (lead.replaces) clearLead(store, next, lead);
  let shown: Shown | undefined;
  for (const pending of lead.parts.values()) {
    const isOwner = pending.part.workspaceId === owner;
    if (isOwner && owner !== lead.storedOwner && pending.no !== undefined && !lead.replaces)
      store.leads.own(pending.no);
    if (!pending.changed) continue;
    const row = {
      owner: isOwner ? 1 : 0,
      state: encodePart(pending.part),
      seen: encodeSeen(pending.seen),
    };
    const known = lead.replaces ? undefined : pending.no;
    const no = known ?? store.leads.insert(leadId, pending.part.workspaceId, row);
    if (known !== undefined) store.leads.update(known, row);
    const logs = [...pending.logs.values()].map(logRowOf);
    for (const log of logs) store.actionLogs.put(log, no);
    if (!isOwner || !identity) continue;
    if (!sameIdentity(lead.storedIdentity, identity) || owner !== lead.storedOwner)
      store.identities.put(leadId, pending.part.workspaceId, identityRow(identity));
    const reader = known === undefined ? pendingLogReader(logs) : storedLogReader(store, no);
    shown = { part: pending.part, identity, logs: reader, traceparent };
  }
  return shown;
}

/** Makes room for a lead that was folded again from its first event on. */
function clearLead(store: Store, next: NextNumber, lead: PendingLead): void {
  const { leadId, owner, storedOwner, traceparent } = lead;
  for (const { no } of lead.parts.values()) {
    if (no === undefined) continue;
    store.actionLogs.remove(no);
    store.leads.removePart(no);
  }
  if (owner !== null || storedOwner === null) return;
  store.identities.remove(leadId);
  buryView(store, next, { leadId, workspaceId: storedOwner, traceparent });
}

/** Forgets the lead for good: all that it owns, here and, as a duty, in the generations that are kept. */
function eraseLead(
  store: Store,
  next: NextNumber,
  { leadId, parts, owner, storedOwner, traceparent }: PendingLead,
  keptGenerations: () => readonly number[],
): void {
  for (const { no } of parts.values()) {
    if (no === undefined) continue;
    store.actionLogs.remove(no);
    store.leads.removePart(no);
  }
  store.identities.remove(leadId);
  store.erased.add(leadId);
  if (parts.size > 0) store.meta.set("unscrubbed", "1");
  store.deadLetters.erase(leadId);
  for (const generation of keptGenerations()) store.erased.addDuty({ generation, leadId });
  const workspaceId = storedOwner ?? owner ?? store.views.get(leadId)?.workspaceId;
  if (workspaceId !== undefined) buryView(store, next, { leadId, workspaceId, traceparent });
}

/** What can't be folded, but spoke of an erased lead or carries its key, is forgotten as the lead is. */
function keepLetter(store: Store, letter: DeadLetter, failedAt: Date): void {
  const key = letter.record.key?.toString("utf8");
  const erased = [key, letter.leadId].find((id) => id !== undefined && id !== null && store.erased.has(id));
  if (typeof erased === "string") store.erased.countDropped(erased, 1);
  else store.deadLetters.add(letter, failedAt);
}

function loadShown(store: Store, leadId: string): Shown | undefined {
  const { owner, storedIdentity, parts } = loadLead(store, leadId);
  const owned = owner === null ? undefined : parts.get(owner);
  if (owned?.no === undefined || storedIdentity === null) return undefined;
  const logs = storedLogReader(store, owned.no);
  return { part: owned.part, identity: storedIdentity, logs, traceparent: null };
}

const assembled = (store: Store, { part, identity, logs }: Shown): AssembledView =>
  assembleView({ part, logs, matchingLeads: matchingLeads(store, part.workspaceId, identity) });
